"""The topology needs the PostgreSQL programs of the integration tests and the lender of the end-to-end tests."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("integration", "e2e")]

UNPACKED = Path(__file__).parents[2] / "var" / "prometheus" / "usr" / "bin"


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """Folder of the programs `prometheus` and `promtool`."""
    found = shutil.which("promtool") or shutil.which("promtool", path=str(UNPACKED))
    assert found, "promtool is needed: `make prometheus`, or put it on the PATH"
    return Path(found).parent
