"""The tutorial's commands, as they stand on its page, in one shell, from the table to a judged retrain."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]
REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "tutorial" / "README.md"
COMMANDS = "".join(re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S))


class Followed:
    """root: working directory, with the checkout's folders in it. said: output of each command."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("docs", "dags", "plugins"):
            (root / name).symlink_to(REPOSITORY / name)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CONTINUAL_", "MLFLOW_", "AIRFLOW"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        self.env = {**kept, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        self.code, self.said = 1, {}

    def follow(self) -> None:
        text = "".join(f"echo '$ {n}'\n{line}\n" for n, line in enumerate(COMMANDS.splitlines()))
        shell = ["bash", "-euo", "pipefail", "-c", text]
        done = subprocess.run(shell, cwd=self.root, env=self.env, capture_output=True, text=True, check=False)
        parts = re.split(r"^\$ (\d+)\n", done.stdout, flags=re.M)[1:]
        lines = COMMANDS.splitlines()
        self.said = {lines[int(n)]: out for n, out in zip(parts[::2], parts[1::2], strict=True)}
        self.code, self.errors = done.returncode, done.stderr

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        here = {**self.env, "CONTINUAL_HOME": "var/bikes", "CONTINUAL_CONFIGS": "var/bikes/configs"}
        command = [sys.executable, "-m", "continual.cli", *arguments]
        return subprocess.run(command, cwd=self.root, env=here, capture_output=True, text=True, check=False)

    def of(self, start: str) -> str:
        return "".join(out for command, out in self.said.items() if command.startswith(start))


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    made = Followed(tmp_path_factory.mktemp("tutorial"))
    try:
        made.follow()
        yield made
    finally:
        made.cli("down")


def test_every_command_of_the_page_succeeds(followed: Followed) -> None:
    assert followed.code == 0, f"{followed.said}\n{followed.errors[-6000:]}"
    assert len(followed.said) == len(COMMANDS.splitlines()) >= 12


def test_the_first_ingest_makes_a_champion_that_earned_it(followed: Followed) -> None:
    assert "Version 1 is live since 2012-07-01" in followed.of("continual explain bikes")
    first = followed.of("continual ingest bikes --as-of 2012-07-01")
    assert "bikes.retrain: success" in first and "promote" in first


def test_its_answers_are_measured_on_every_slice(followed: Followed) -> None:
    assert "answered by version 1" in followed.of("continual deliver")
    measured = followed.of("continual metrics")
    assert all(word in measured for word in ("overall", "season", "daytype", "mae"))


def test_the_retrain_is_judged_and_explained(followed: Followed) -> None:
    assert re.search(r"Version 2 (is live since|was not promoted)", followed.of("continual explain bikes 2"))


def test_the_stack_is_down_and_the_ledger_holds(followed: Followed) -> None:
    assert "stopped" in followed.of("continual down")
    [found] = json.loads(followed.cli("ledger", "verify", "--json").stdout)
    assert found["verified"] and found["entries"] > 10
