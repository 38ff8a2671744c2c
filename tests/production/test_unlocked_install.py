"""The package without the locks, as somebody adds it to an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.production, pytest.mark.timeout(1800)]
REPOSITORY = Path(__file__).parents[2]
#: Imports every module of the package, as a parser of plugins or a documentation tool does.
EVERYTHING = """
import importlib, pkgutil, continual
names = [m.name for m in pkgutil.walk_packages(continual.__path__, "continual.") if not m.name.endswith("__main__")]
for name in names:
    if not name.startswith(("continual.demo", "continual.stores.migrations.env")):
        importlib.import_module(name)
print(len(names))
"""


def test_s55_a_fresh_unlocked_install_imports_everything_and_checks_a_policy(tmp_path: Path) -> None:
    uv, env = str(Path(sys.executable).with_name("uv")), {**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow")}
    env = {k: v for k, v in env.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True, env=env)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, REPOSITORY], check=True, env=env)
    found = subprocess.run(
        [python, "-c", EVERYTHING], check=False, capture_output=True, text=True, env=env, cwd=tmp_path
    )
    assert found.returncode == 0, found.stderr[-3000:]
    assert int(found.stdout.split()[-1]) > 200
    check = [python, "-m", "continual.cli", "check", "--configs", REPOSITORY / "configs", "--home", tmp_path / "home"]
    subprocess.run(check, check=True, env=env, cwd=tmp_path)
