"""`continual up` as a user starts it: a process that serves, is asked to retrain, and stops when told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from continual.cli.deployment import stack_runs
from continual.local.airflow_api import AirflowClient
from continual.local.ports import is_free

pytestmark = pytest.mark.integration


class Up:
    """The running command and what it printed."""

    def __init__(self, home: Path, configs: Path) -> None:
        self.home = home
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CONTINUAL_", "MLFLOW_", "AIRFLOW"))}
        self.env = {**kept, "CONTINUAL_HOME": str(home), "CONTINUAL_CONFIGS": str(configs), "OMP_NUM_THREADS": "1"}
        self.errors = home.parent / "stderr"
        with self.errors.open("wb") as errors:
            command = [sys.executable, "-m", "continual.cli", "up", "--json"]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=self.env, text=True)
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        text = ""
        for line in lines:
            text += line
            if line == "}\n":
                break
        assert text, self.errors.read_text()
        self.facts: dict[str, Any] = json.loads(text)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "continual.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.env, check=False)

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, flights_text: str) -> Iterator[Up]:
    root = tmp_path_factory.mktemp("up")
    (root / "configs").mkdir()
    (root / "configs" / "flights.yaml").write_text(flights_text)
    (root / "configs" / "broken.yaml").write_text("application: broken\n")
    running = Up(root / "home", root / "configs")
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGKILL)


def test_it_says_where_everything_is_and_makes_the_landing_folders(up: Up) -> None:
    assert up.facts["airflow"].startswith("http://127.0.0.1:") and up.facts["mlflow"].startswith("http://127.0.0.1:")
    assert up.facts["home"] == str(up.home)
    for stream in ("predictions", "labels"):
        assert (up.home / "landing" / "flights" / stream).is_dir()
    assert "broken has no DAGs until its policy is valid" in up.errors.read_text()
    assert stack_runs(up.home)


def test_retrain_and_rollback_start_runs_with_reason_and_instant(up: Up) -> None:
    client = AirflowClient(up.facts["airflow"], up.facts["user"], up.facts["password"])
    client.wait_for_dags(["flights.retrain", "flights.rollback"])
    for command, extra in (("retrain", {}), ("rollback", {"to": "1"})):
        options = [f"--{name}={value}" for name, value in extra.items()]
        answer = up.cli(command, "flights", "--reason", "it's late", "--as-of", "2013-03-01", "--json", *options)
        assert answer.returncode == 0, answer.stderr
        said = json.loads(answer.stdout)
        run = client.run(f"flights.{command}", said["run"])
        assert run.conf == {"reason": "it's late", "as_of": "2013-03-01T00:00:00+00:00", **extra}
        assert run.note == "it's late"
        assert said["url"].startswith(up.facts["airflow"])


def test_a_dag_that_does_not_exist_is_airflows_word(up: Up) -> None:
    answer = up.cli("retrain", "broken", "--reason", "x")
    assert answer.returncode == 1
    assert "404" in answer.stderr and "Traceback" not in answer.stderr


def test_told_to_stop_it_stops_everything(up: Up) -> None:
    assert up.stop(signal.SIGTERM) == 0
    assert up.errors.read_text().endswith("stopped\n")
    ports = [int(up.facts[name].rpartition(":")[2]) for name in ("airflow", "mlflow")]
    deadline = time.monotonic() + 20
    while not all(map(is_free, ports)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert all(map(is_free, ports))
    assert not stack_runs(up.home)
    answer = up.cli("retrain", "flights", "--reason", "x")
    assert answer.returncode == 1 and "`continual up`" in answer.stderr
