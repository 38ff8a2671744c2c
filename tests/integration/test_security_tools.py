"""The tools around dependencies and code can fail, and say when they could not look."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "production.lock"


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "requirements" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _bill(lock: Path, output: Path) -> dict[str, object]:
    assert _script("sbom").main(str(lock), str(output)) == 0
    found: dict[str, object] = json.loads(output.read_text())
    return found


def test_the_bill_of_materials_holds_every_pin(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    bill = _bill(LOCK, tmp_path / "a.json")
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    components = {(c["name"], c["version"]): c for c in bill["components"]}  # type: ignore[attr-defined]
    assert len(pins) > 200
    assert set(components) == set(pins)
    assert all(c["externalReferences"][0]["hashes"] for c in components.values())


def test_the_same_lock_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    small = ROOT / "requirements" / "bootstrap.lock"
    assert _bill(small, tmp_path / "a.json") == _bill(small, tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def _package(name: str, *flaws: str) -> dict[str, object]:
    return {"name": name, "version": "1", "vulns": [{"id": flaw, "fix_versions": ["2"]} for flaw in flaws]}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([_package("a")], 0, "1 packages, no known vulnerability"),
        ([_package("a"), _package("b", "CVE-1")], 1, "b 1: CVE-1, fixed in 2"),
        ([_package("a"), {"name": "b", "skip_reason": "not found"}], 3, "1 of 2 pins have no answer, such as b"),
        ([{"name": "b", "skip_reason": "not found"}], 3, "no vulnerability service answered"),
        ([], 3, "NOT AUDITED"),
    ],
)
def test_an_audit_is_green_only_when_every_pin_was_looked_up(packages, code, said, capsys):
    assert _script("audit").verdict("osv", packages, "") == code
    assert said in capsys.readouterr().out


def test_the_scan_of_the_code_finds_what_it_is_for(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("import pickle\nimport subprocess\npickle.loads(b'')\nsubprocess.run('ls', shell=True)\n")
    command = [sys.executable, "-m", "bandit", "-q", "-c", str(ROOT / "pyproject.toml"), "-f", "json", str(bad)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {issue["test_id"] for issue in json.loads(done.stdout)["results"]}
    assert done.returncode == 1
    assert {"B301", "B602"} <= found
