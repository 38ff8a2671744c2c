"""Known vulnerabilities of what a lock pins; never green when nobody could be asked.

audit.py LOCK   exit 0: every pin was looked up and is clean; 1: vulnerabilities; 3: pins that nobody could answer for

pip-audit itself ends with 0 when its service knows no single package, as behind a mirror that serves files only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

CLEAN, FOUND, UNANSWERED = 0, 1, 3
#: Services of pip-audit, the one that most networks reach first.
SERVICES = ("pypi", "osv")


def main(lock: str) -> int:
    answers = [(service, *_ask(service, lock)) for service in SERVICES]
    service, packages, _ = max(answers, key=lambda answer: sum("vulns" in p for p in answer[1]))
    return verdict(service, packages, " ".join(problem for *_, problem in answers if problem))


def verdict(service: str, packages: Sequence[dict[str, Any]], problem: str) -> int:
    """Print what is known of `packages` (of pip-audit's JSON) and return the exit code."""
    asked = [package for package in packages if "vulns" in package]
    bad = [(package, flaw) for package in asked for flaw in package["vulns"]]
    for package, flaw in bad:
        fixed = ", ".join(flaw.get("fix_versions", [])) or "no version yet"
        print(f"{package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}")
    if bad:
        print(f"{len(bad)} known vulnerabilities in {len(asked)} packages ({service}). Raise the pins: make lock.")
        return FOUND
    unknown = [package["name"] for package in packages if "vulns" not in package]
    if unknown or not packages:
        what = (
            f"{len(unknown)} of {len(packages)} pins have no answer" if asked else "no vulnerability service answered"
        )
        some = f", such as {', '.join(unknown[:5])}" if asked else ""
        print(f"NOT AUDITED: {what}{some}. {problem}".rstrip())
        print("Run `make audit` where PyPI's JSON API or OSV can be reached.")
        return UNANSWERED
    print(f"{len(asked)} packages, no known vulnerability ({service}).")
    return CLEAN


def _ask(service: str, lock: str) -> tuple[list[dict[str, Any]], str]:
    options = ["--require-hashes", "--disable-pip", "-s", service, "-f", "json", "--timeout", "10"]
    command = [sys.executable, "-m", "pip_audit", "-r", lock, *options, "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # this interpreter, no shell  # nosec B603
    try:
        packages = json.loads(done.stdout)["dependencies"]
        known = sum("vulns" in package for package in packages)
        return packages, "" if known else f"{service}: knows none of the pins."
    except ValueError:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        return [], f"{service}: {lines[-1][:200]}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
