"""One real stack for all tests of this file: it takes some 20 s to start."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from continual.core.window import Window
from continual.errors import ContinualError
from continual.local.airflow_api import AirflowClient
from continual.local.airflow_http import AirflowError
from continual.local.airflow_runs import DagRun
from continual.local.home import Home
from continual.local.stack import LocalStack

pytestmark = pytest.mark.integration

DAG = '''
from __future__ import annotations
from airflow.sdk import Asset, chain, dag, task

READY = Asset("test://ready")

@dag(dag_id="windows", schedule=None)
def windows():
    @task
    def interval(data_interval_start=None, data_interval_end=None, dag_run=None):
        return {"start": str(data_interval_start), "end": str(data_interval_end), "conf": dag_run.conf}

    @task
    def heavy():
        """Threads and pools of preloaded libraries must work in the fork."""
        import time
        before = time.process_time()
        import great_expectations, mlflow.sklearn, pandas, pyiceberg.catalog.sql
        from sklearn.ensemble import HistGradientBoostingClassifier
        imported = time.process_time() - before
        import os, tempfile
        import numpy as np
        x = np.random.default_rng(0).normal(size=(2000, 4))
        model = HistGradientBoostingClassifier(max_iter=5).fit(x, x[:, 0] > 0)
        with tempfile.TemporaryDirectory() as folder:
            pandas.DataFrame(x, columns=list("abcd")).to_parquet(f"{folder}/x.parquet")
            frame = pandas.read_parquet(f"{folder}/x.parquet")
            import pyarrow
            from pyiceberg.catalog.sql import SqlCatalog
            catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}")
            catalog.create_namespace("n")
            data = pyarrow.Table.from_pandas(frame)
            table = catalog.create_table("n.t", schema=data.schema)
            table.append(data)
            rows = table.scan().to_arrow().num_rows
        context = great_expectations.get_context(mode="ephemeral")
        batch = context.data_sources.pandas_default.read_dataframe(frame)
        check = batch.validate(great_expectations.expectations.ExpectColumnValuesToNotBeNull(column="a"))
        mlflow.set_experiment("from-a-task")
        with mlflow.start_run() as run:
            mlflow.log_dict({"rows": rows}, "rows.json")
        score = float(model.score(x, x[:, 0] > 0))
        return {"imported": imported, "rows": rows, "score": score, "valid": check.success, "run": run.info.run_id,
                "threads": os.environ["OMP_NUM_THREADS"]}

    @task(outlets=[READY])
    def emit():
        return 1

    chain(interval(), heavy(), emit())

windows()

@dag(dag_id="follows", schedule=[READY])
def follows():
    @task
    def last():
        return 1
    last()

follows()

@dag(dag_id="daily", schedule="0 0 * * *", start_date=__import__("pendulum").datetime(2013, 1, 1), catchup=False,
     is_paused_upon_creation=True)
def daily():
    @task
    def day(data_interval_start=None, data_interval_end=None):
        return [str(data_interval_start), str(data_interval_end)]
    day()

daily()

@dag(dag_id="breaks", schedule=None)
def breaks():
    @task
    def boom():
        raise ValueError("the reason of the failure")
    boom()

breaks()
'''
JULY = Window(datetime(2013, 7, 1, tzinfo=UTC), datetime(2013, 7, 29, tzinfo=UTC))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    root = tmp_path_factory.mktemp("stack")
    for folder in ("dags", "configs"):
        (root / folder).mkdir()
    (root / "dags" / "windows.py").write_text(DAG)
    steps: list[str] = []
    with LocalStack(Home(root / "home"), root / "dags", None, root / "configs", progress=steps.append) as running:
        running.airflow.wait_for_dags(["windows", "follows", "daily", "breaks"])
        assert any("scheduler is ready" in step for step in steps)
        yield running
        pids = running.pids
    assert len(pids) >= 8
    assert not [pid for pid in pids if _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def airflow(stack: LocalStack) -> AirflowClient:
    return stack.airflow


@pytest.fixture(scope="module")
def run(airflow: AirflowClient) -> DagRun:
    """A finished run of `windows` over four weeks of July 2013."""
    seen: list[str] = []
    run_id = airflow.trigger("windows", JULY, {"why": "test"}, note="by hand")
    done = airflow.wait("windows", run_id, 120, lambda r: seen.append(r.state))
    assert seen[-1] == "success"
    return done


def test_a_run_carries_its_window_conf_and_note(airflow: AirflowClient, run: DagRun) -> None:
    assert (run.window, run.conf, run.note) == (JULY, {"why": "test"}, "by hand")
    assert [task.task_id for task in run.tasks] == ["interval", "heavy", "emit"]
    assert {task.state for task in run.tasks} == {"success"}
    value = airflow.xcom("windows", run.run_id, "interval")
    assert value == {"start": str(JULY.start), "end": str(JULY.end), "conf": {"why": "test"}}


def test_heavy_libraries_are_warm_in_a_task_and_work_there(
    airflow: AirflowClient, run: DagRun, stack: LocalStack
) -> None:
    value = airflow.xcom("windows", run.run_id, "heavy")
    assert value["imported"] < 0.5  # 7 CPU-s without preloading
    assert (value["rows"], value["threads"]) == (2000, "1")
    assert value["score"] > 0.9
    assert value["valid"] is True
    import mlflow

    client = mlflow.MlflowClient(stack.mlflow_uri)
    assert [file.path for file in client.list_artifacts(value["run"])] == ["rows.json"]


def test_mlflow_keeps_artifacts_behind_its_proxy(stack: LocalStack, tmp_path: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(stack.mlflow_uri)
    run = client.create_run(client.create_experiment("by hand"))
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    client.log_text(run.info.run_id, "hello", "note.txt")
    stored = [p for p in (stack.home.mlflow / "artifacts").rglob("note.txt") if run.info.run_id in str(p)]
    assert [path.read_text() for path in stored] == ["hello"]


def test_the_asset_event_starts_the_next_dag_and_all_become_idle(airflow: AirflowClient, run: DagRun) -> None:
    airflow.wait_idle(["windows", "follows"], 60)
    followers = airflow.runs("follows")
    assert [(r.run_type, r.state) for r in followers] == [("asset_triggered", "success")] * len(followers)
    assert followers


def test_clear_runs_a_task_again(airflow: AirflowClient, run: DagRun) -> None:
    assert airflow.clear("windows", run.run_id, ["interval"]) == ["interval"]
    again = airflow.wait("windows", run.run_id, 60)
    assert (again.task("interval").try_number, again.task("heavy").try_number) == (2, 1)
    assert again.succeeded


def test_the_same_window_can_be_triggered_again(airflow: AirflowClient, run: DagRun) -> None:
    second = airflow.wait("windows", airflow.trigger("windows", JULY), 120)
    assert second.succeeded
    assert second.window == JULY
    assert second.logical_date != run.logical_date


def test_a_taken_logical_date_is_refused_with_the_reason(airflow: AirflowClient, run: DagRun) -> None:
    with pytest.raises(AirflowError, match="logical_date") as caught:
        airflow.trigger("windows", JULY, logical_date=run.logical_date)
    assert caught.value.status == 409


def test_a_backfill_gives_each_day_its_window(airflow: AirflowClient) -> None:
    airflow.unpause("daily")
    first, last = datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 3, 2, tzinfo=UTC)
    airflow.wait_backfill(airflow.backfill("daily", first, last), 90)
    windows = {r.window for r in airflow.runs("daily", ["success"]) if r.run_type == "backfill"}
    assert windows == {
        Window(first, last),
        Window(last, datetime(2013, 3, 3, tzinfo=UTC)),
    }
    airflow.pause("daily")
    assert {dag["dag_id"]: dag["is_paused"] for dag in airflow.dags()}["daily"] is True


def test_a_failed_run_is_returned_and_its_log_says_why(airflow: AirflowClient) -> None:
    failed = airflow.wait("breaks", airflow.trigger("breaks"), 60)
    assert (failed.state, failed.succeeded, failed.window) == ("failed", False, None)
    assert "the reason of the failure" in airflow.task_log("breaks", failed.run_id, "boom")


def test_errors_carry_airflow_s_detail(airflow: AirflowClient, run: DagRun) -> None:
    with pytest.raises(AirflowError, match="'nowhere' not found") as missing:
        airflow.trigger("nowhere")
    assert missing.value.status == 404
    with pytest.raises(AirflowError, match="404"):
        airflow.xcom("windows", run.run_id, "interval", key="no-such-key")
    with pytest.raises(AirflowError, match="401"):
        AirflowClient(airflow.http.base_url, "admin", "wrong").dags()


def test_an_expired_token_is_renewed(airflow: AirflowClient) -> None:
    airflow.http._session.headers["Authorization"] = "Bearer expired"
    assert airflow.dags()


def test_a_broken_dag_file_is_named_with_its_traceback(stack: LocalStack, airflow: AirflowClient) -> None:
    broken = stack.dags / "broken.py"
    broken.write_text("from airflow.sdk import dag\nraise RuntimeError('line two is wrong')\n")
    try:
        _wait_for_import_error(airflow)
        with pytest.raises(AirflowError, match=r"(?s)ghost missing.*line two is wrong"):
            airflow.wait_for_dags(["ghost"], 1)
    finally:
        broken.unlink()


def _wait_for_import_error(airflow: AirflowClient) -> None:
    deadline = time.monotonic() + 40
    while not airflow.import_errors() and time.monotonic() < deadline:
        time.sleep(0.5)


def test_s57_everything_listens_on_loopback_only(stack: LocalStack, run: DagRun) -> None:
    listening = [c for pid in stack.pids for c in _connections(pid) if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
    ports = {int(url.rsplit(":", 1)[1]) for url in (stack.airflow_url, stack.mlflow_uri)}
    assert ports <= {c.laddr.port for c in listening}


def _connections(pid: int) -> list[Any]:
    try:
        return list(psutil.Process(pid).net_connections(kind="inet"))
    except psutil.NoSuchProcess:
        return []


def test_s57_no_secret_in_any_command_line_and_no_readable_file(stack: LocalStack) -> None:
    secrets = (stack.home.root / "secrets.json").read_text().split('"')[3::4]
    assert len(secrets) == 5
    lines = " ".join(" ".join(psutil.Process(pid).cmdline()) for pid in stack.pids if psutil.pid_exists(pid))
    assert "airflow" in lines
    assert not [secret for secret in secrets if secret in lines]
    assert stat.S_IMODE((stack.home.root / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.home.root.stat().st_mode) == 0o700


def test_s60_airflow_refuses_unauthenticated_requests(stack: LocalStack) -> None:
    assert requests.get(f"{stack.airflow_url}/api/v2/dags", timeout=10).status_code == 401


def test_s57_mlflow_refuses_other_host_names(stack: LocalStack) -> None:
    url = f"{stack.mlflow_uri}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert requests.get(url, timeout=10).status_code == 200
    assert requests.get(url, headers={"Host": "evil.example"}, timeout=10).status_code == 403


def test_a_second_stack_on_the_same_home_is_refused(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("continual.local.lock.time.sleep", lambda _: None)
    monkeypatch.setattr("continual.local.stack.lock_home", _impatient)
    with pytest.raises(ContinualError, match="Only one stack"):
        LocalStack(stack.home, stack.dags, None, stack.configs).start()
    stack.check()


def _impatient(path: Path) -> int:
    from continual.local.lock import lock_home

    return lock_home(path, patience=0.1)


def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    extra = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////no/such/folder/airflow.db"}
    stack = LocalStack(Home(tmp_path / "home"), tmp_path / "dags", None, tmp_path / "configs", extra, preload=())
    with pytest.raises(ContinualError, match=r"(?s)airflow must keep running.*code [1-9-]"):
        stack.start()
    assert stack.pids == []
    mine = psutil.Process(os.getpid()).children(recursive=True)
    assert not [p for p in mine if str(tmp_path) in " ".join(p.cmdline())]
