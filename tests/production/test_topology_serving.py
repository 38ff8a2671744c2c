"""The service `serving` of the compose file beside PostgreSQL, object storage and MLflow: key, kill -9, promotion."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
import yaml
from compose_file import DOCKER
from flow_server import free_port
from flow_world import refused
from lender import Lender
from loans import applications, day, days, policy
from topology import Topology

from continual.errors import ModelUnavailable
from continual.flows import ingest, verify
from continual.local.home import Home
from continual.local.process import Child
from continual.settings import Settings

pytestmark = [pytest.mark.production, pytest.mark.timeout(1800)]
#: Path below /api/v1/ -> what Prometheus says.
Ask = Callable[[str], Any]
FEATURES = ["record_key", "income", "bureau", "sector", "region"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    root, before = tmp_path_factory.mktemp("serving"), dict(os.environ)
    (root / "configs").mkdir()
    only = ("storage", "mlflow", "exporter")
    try:
        made = Topology(Home(root / "home"), root / "configs", print, only, SERVING_APP="lent")
        text = policy("lent").replace("  labels: landing", '  pattern: "{date}-*.parquet"\n  labels: landing')
        url = f"http://127.0.0.1:{made.port['serving']}"
        (root / "configs" / "lent.yaml").write_text(f'{text}serving: {{url: "{url}", wait: 60s}}\n')
        with made:
            found = made.environment
            os.environ.update({k: v for k, v in found.items() if k.startswith(("AWS_", "MLFLOW_", "CONTINUAL_"))})
            os.environ["CONTINUAL_SERVING_API_KEY"] = made.secret("serving_api_key")  # as the workers have it
            yield made
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def lender(stack: Topology) -> Lender:
    made = Lender("lent", Settings.from_environment(stack.environment)).past(10)
    (made.settings.home / "landing" / "lent" / "labels").mkdir(parents=True)
    stack.start("serving")
    return made


def _call(stack: Topology, path: str, key: str | None, **body: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return requests.post(f"http://127.0.0.1:{stack.port['serving']}{path}", json=body, headers=headers, timeout=30)


def _rows(number: int) -> list[dict[str, Any]]:
    found = applications(number).head(20)
    return [{**row, "event_time": str(day(number + 0.5).isoformat())} for row in found[FEATURES].to_dict("records")]


def test_s60_only_who_has_the_key_of_the_secret_is_answered(stack: Topology, lender: Lender) -> None:
    assert _call(stack, "/predict", None, rows=_rows(10)).status_code == 401
    assert _call(stack, "/predict", "another", rows=_rows(10)).status_code == 401
    answered = _call(stack, "/predict", stack.secret("serving_api_key"), rows=_rows(10)).json()["predictions"]
    assert {row["model_version"] for row in answered} == {"1"}


def test_s59_what_was_answered_before_kill_9_is_in_the_log_once(stack: Topology, lender: Lender) -> None:
    stack.kill("serving")
    stack.start("serving")
    landing = lender.settings.home / "landing" / "lent" / "predictions"
    stack.until("serving", lambda: any(landing.glob("*.parquet")))
    shipped = pd.concat([pd.read_parquet(file) for file in landing.glob("*.parquet")])
    assert sorted(shipped["record_key"]) == sorted(row["record_key"] for row in _rows(10))
    window = days(10, 11)
    for _ in range(2):
        validated = ingest.validate(lender.ws(), window, window.end)
        ingest.append(lender.ws(), validated.data["accepted"], window.end)
    logged = lender.ws().log.read_predictions(window, window.end)
    assert sorted(logged["record_key"]) == sorted(shipped["record_key"])
    assert logged["prediction"].between(0, 1).all()


@pytest.fixture(scope="module")
def watched(
    stack: Topology, lender: Lender, prometheus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    """A Prometheus with the rules of docker/, as the how-to sets it up."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    targets = [f"127.0.0.1:{stack.port[name]}" for name in ("exporter", "serving")]
    key = {"credentials_file": str(stack.secrets / "serving_api_key")}
    jobs = [{"job_name": "continual"}, {"job_name": "continual-serving", "authorization": key}]
    jobs = [job | {"static_configs": [{"targets": [target]}]} for job, target in zip(jobs, targets, strict=True)]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = {"global": every, "rule_files": [str(DOCKER / "alerts.yaml")], "scrape_configs": jobs}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [str(prometheus / "prometheus"), f"--config.file={folder / 'prometheus.yaml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    child = Child("prometheus", command, {"PATH": os.environ["PATH"]}, folder / "log")
    try:
        yield lambda path: requests.get(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10).json()["data"]
    finally:
        child.stop()


def _alerts(ask: Ask) -> dict[str, str]:
    return {found["labels"]["alertname"]: found["state"] for found in ask("alerts")["alerts"]}


def test_a_prometheus_sees_what_is_wrong_and_nothing_else(stack: Topology, lender: Lender, watched: Ask) -> None:
    def up() -> bool:
        try:
            return [target["health"] for target in watched("targets")["activeTargets"]] == ["up", "up"]
        except requests.ConnectionError:
            return False

    stack.until("serving", up)
    stack.until("exporter", lambda: "NothingIngested" in _alerts(watched))
    rules = [rule for group in watched("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}
    # the history is of 2024, its rows are known since then: nothing came in, nothing was measured, by today's clock
    assert set(_alerts(watched)) <= {"NothingIngested", "EvaluationOld"}
    assert _alerts(watched)["NothingIngested"] == "firing"
    landing = lender.settings.home / "landing" / "lent" / "predictions"
    pd.DataFrame({"nothing": [1.0]}).to_parquet(landing / f"{day(12):%Y-%m-%d}-broken.parquet")
    assert ingest.validate(lender.ws(), days(12, 13), day(13)).data["refused"]
    stack.kill("serving")
    stack.until("exporter", lambda: {"QuarantineWaits", "ServingDown"} <= set(_alerts(watched)))
    assert _alerts(watched)["ServingDown"] == "pending"  # five minutes
    stack.start("serving")
    stack.until("serving", lambda: "ServingDown" not in _alerts(watched))


def test_s37_a_promotion_is_done_when_the_server_answers_with_it(stack: Topology, lender: Lender) -> None:
    lender.log(11, 20)
    lender.retrain(day(20))  # promotes and verifies: the server is asked
    assert lender.champion() == "2"
    answered = _call(stack, "/predict", stack.secret("serving_api_key"), rows=_rows(21)).json()["predictions"]
    assert {row["model_version"] for row in answered} == {"2"}
    stack.kill("serving")
    lender.edit("wait: 60s", "wait: 1s")
    refused(lambda: verify.verify(lender.ws(), day(20)), ModelUnavailable, "no answer")
