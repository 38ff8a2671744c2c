"""MLflow goes away while a retrain runs."""

from __future__ import annotations

import signal
import sys

import psutil
import pytest
from deployment import Deployment
from loans import day, days

from continual.local.process import Child

pytestmark = pytest.mark.e2e


def _start_mlflow_again(deployment: Deployment) -> None:
    """The same server on the same port and state, until the end of the session."""
    home, port = deployment.stack.home, deployment.stack.mlflow_uri.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "continual.local.mlflow_main", str(home.mlflow), "127.0.0.1", port]
    deployment.stop_at_the_end(Child("mlflow", command, deployment.stack.environment, home.logs / "mlflow-again.log"))
    deployment.until("MLflow", deployment.mlflow_answers)


def _kill_mlflow(deployment: Deployment) -> None:
    servers = [p for p in map(psutil.Process, deployment.stack.pids) if "continual.local.mlflow_main" in p.cmdline()]
    assert servers
    for server in servers:
        server.send_signal(signal.SIGKILL)
    deployment.until("no MLflow", lambda: not deployment.mlflow_answers())


def test_s26_s52_mlflow_down_fails_clearly_and_clearing_resumes(deployment: Deployment) -> None:
    lender = deployment.lender("cut_off").past(10)
    lender.log(10, 24)
    lender.deliver(24, 25)
    before = lender.facts()
    retrain = deployment.trigger("cut_off.retrain", as_of=day(24).isoformat(), reason="two weeks of labels")
    deployment.until_state(retrain, "curate", "success")
    _kill_mlflow(deployment)
    ingest = deployment.trigger("cut_off.ingest", days(24, 25))

    failed = deployment.finish(retrain, "failed")
    (broken,) = [task for task in failed.tasks if task.state == "failed"]
    assert broken.try_number == 3
    reason = deployment.reason(failed, broken.task_id, broken.map_index)
    assert deployment.stack.mlflow_uri in reason
    assert "start or repair MLflow, then clear this task" in reason
    refused = deployment.finish(ingest, "failed")
    assert "model registry must be readable" in deployment.reason(refused, "validate")

    _start_mlflow_again(deployment)
    assert lender.facts()["champions"] == before["champions"]
    assert lender.check_one_champion() == "1"
    assert lender.rows() == before["rows"]
    deployment.again(failed, broken.task_id, *_after(broken.task_id))
    assert lender.check_one_champion() == "2"
    assert [version for version, _ in lender.facts()["registered"]] == ["1", "2"]
    deployment.again(refused)
    assert lender.rows()["predictions"] == before["rows"]["predictions"] + 200


def _after(task: str) -> list[str]:
    order = ["curate", "train", "evaluate", "judge", "promote", "verify"]
    return order[order.index(task) + 1 :]
