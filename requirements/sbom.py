"""Bill of materials of a lock: the same lock gives the same bytes.

sbom.py LOCK OUTPUT   CycloneDX 1.6 as JSON; every pin of LOCK is a component with its hashes
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(lock: str, output: str) -> int:
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    options = ["--output-reproducible", "--spec-version", "1.6", "--pyproject", "pyproject.toml", "-o", output]
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", *options, lock]
    return subprocess.run(command, check=False).returncode  # this interpreter, no shell  # nosec B603


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
