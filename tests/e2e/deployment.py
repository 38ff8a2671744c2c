"""A running deployment as its people see it: trigger, wait, clear, answer; a failure tells what the runs said."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from lender import Lender
from loans import policy

from continual.core.window import Window
from continual.local.airflow_http import AirflowError
from continual.local.airflow_runs import DagRun
from continual.local.home import Home
from continual.local.process import Child
from continual.local.stack import LocalStack
from continual.settings import Settings
from webhook import Webhook

REPOSITORY = Path(__file__).parents[2]
#: A dead MLflow is to be noticed in seconds; its client's own patience is four minutes a call.
IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
NAMES = ("ingest", "monitor", "retrain", "rollback", "score", "store", "data", "replay")
LOG_TAIL = 12


class Deployment:
    """Airflow and MLflow with one policy per test module."""

    def __init__(self, root: Path, modes: dict[str, str], edits: dict[str, tuple[str, str]]) -> None:
        """modes: application -> promotion mode. edits: application -> (old, new) text of its policy."""
        self.root = root
        configs = root / "configs"
        configs.mkdir(parents=True)
        for app, mode in modes.items():
            (configs / f"{app}.yaml").write_text(policy(app, mode).replace(*edits.get(app, ("", ""))))
            for stream in ("predictions", "labels"):
                (root / "landing" / app / stream).mkdir(parents=True)
        self.apps = tuple(modes)
        self.webhook = Webhook()
        extra = {**IMPATIENT, "ONCALL_URLS": self.webhook.url}
        self.stack = LocalStack(Home(root), REPOSITORY / "dags", REPOSITORY / "plugins", configs, extra)
        self.seen: list[tuple[str, str]] = []
        self._children: list[Child] = []

    def start(self) -> Deployment:
        self.stack.start()
        os.environ.update({k: v for k, v in self.stack.environment.items() if k.startswith("MLFLOW_")})
        self.settings = Settings.from_environment(self.stack.environment)
        self.airflow = self.stack.airflow
        self.airflow.wait_for_dags([f"{app}.{name}" for app in self.apps for name in NAMES], timeout=60)
        return self

    def stop(self) -> None:
        self.stack.stop()
        self.webhook.stop()
        for child in self._children:
            child.stop()

    def stop_at_the_end(self, child: Child) -> None:
        """For a program a test started that later tests need."""
        self._children.append(child)

    def mlflow_answers(self) -> bool:
        try:
            return requests.get(f"{self.stack.mlflow_uri}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    def lender(self, app: str) -> Lender:
        return Lender(app, self.settings)

    # --- runs ---

    def trigger(self, dag_id: str, window: Window | None = None, **conf: Any) -> DagRun:
        run_id = self.airflow.trigger(dag_id, window, conf, logical_date=window.end if window else None)
        return self.look(dag_id, run_id)

    def run(self, dag_id: str, window: Window | None = None, expect: str = "success", **conf: Any) -> DagRun:
        """Trigger, wait for its end, and see that it ended as expected."""
        return self.finish(self.trigger(dag_id, window, **conf), expect)

    def look(self, dag_id: str, run_id: str) -> DagRun:
        if (dag_id, run_id) not in self.seen:
            self.seen.append((dag_id, run_id))
        return self.airflow.run(dag_id, run_id)

    def finish(self, run: DagRun, expect: str = "success", timeout: float = 120) -> DagRun:
        done = self.airflow.wait(run.dag_id, run.run_id, timeout)
        assert done.state == expect, f"{run.dag_id} is {done.state}, not {expect}\n{self.explain(done)}"
        return done

    def again(self, run: DagRun, *tasks: str, expect: str = "success") -> DagRun:
        """Clear tasks of a finished run (all by default) and wait for its end."""
        cleared = self.airflow.clear(run.dag_id, run.run_id, tasks or None)
        assert set(cleared) >= set(tasks)
        return self.finish(run, expect)

    def idle(self, app: str) -> None:
        """Wait for everything that follows."""
        self.airflow.wait_idle([f"{app}.{name}" for name in NAMES], timeout=180)
        for name in NAMES:
            for run in self.airflow.runs(f"{app}.{name}"):
                self.look(run.dag_id, run.run_id)

    def runs(self, dag_id: str) -> list[DagRun]:
        """All runs with their tasks, oldest first."""
        return [self.look(run.dag_id, run.run_id) for run in self.airflow.runs(dag_id)]

    def reason(self, run: DagRun, task_id: str, map_index: int = -1) -> str:
        return str(self.airflow.xcom(run.dag_id, run.run_id, task_id, "reason", map_index))

    def until(self, what: str, check: Callable[[], Any], timeout: float = 60) -> Any:
        """Poll until `check` gives something true; returns it."""
        deadline = time.monotonic() + timeout
        while not (found := check()):
            assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
            time.sleep(0.3)
        return found

    def until_state(self, run: DagRun, task_id: str, *states: str) -> DagRun:
        def reached() -> DagRun | None:
            now = self.look(run.dag_id, run.run_id)
            return now if any(t.task_id == task_id and t.state in states for t in now.tasks) else None

        found: DagRun = self.until(f"{run.dag_id} {task_id} in {', '.join(states)}", reached)
        return found

    def links(self, run: DagRun, task_id: str) -> dict[str, str | None]:
        """The buttons on a task's page: name -> address."""
        found: dict[str, str | None] = self.airflow.http.get(f"{run_path(run)}/taskInstances/{task_id}/links")[
            "extra_links"
        ]
        return found

    def visit(self, address: str, logged_in: bool = True) -> requests.Response:
        """A page as a browser asks for it: who is logged in says a cookie."""
        headers = self.airflow.http._session.headers
        token = str(headers["Authorization"]).removeprefix("Bearer ")
        return requests.get(address, cookies={"_token": token} if logged_in else None, timeout=30)

    # --- what a person does besides ---

    def answer(self, run: DagRun, task_id: str, option: str) -> dict[str, Any]:
        """Answer a required action."""
        path = f"{run_path(run)}/taskInstances/{task_id}/-1/hitlDetails"
        answered: dict[str, Any] = self.airflow.http.request("PATCH", path, body={"chosen_options": [option]})
        return answered

    def emit(self, asset: str, extra: dict[str, Any]) -> None:
        """Create an asset event by hand, as the assets page allows."""
        found = self.airflow.http.get("/assets", name_pattern=asset)["assets"]
        (asset_id,) = [a["id"] for a in found if a["name"] == asset]
        self.airflow.http.request("POST", "/assets/events", body={"asset_id": asset_id, "extra": extra})

    # --- when something is wrong ---

    def explain(self, run: DagRun) -> str:
        """State, reason and the end of the log of every task of a run."""
        lines = [f"{run.dag_id} {run.run_id}: {run.state}"]
        for task in run.tasks:
            lines.append(f"  {task.task_id}[{task.map_index}] {task.state}, try {task.try_number}")
            if task.state in (None, "upstream_failed", "removed") or not task.try_number:
                continue
            lines.append(f"    reason: {self._quietly(lambda t=task: self.reason(run, t.task_id, t.map_index))}")
            if task.state not in ("success", "skipped"):
                lines += self._tail(run, task.task_id, task.map_index)
        return "\n".join(lines)

    def explain_seen(self) -> str:
        """All runs since the last call."""
        text = "\n".join(str(self._quietly(lambda k=key: self.explain(self.airflow.run(*k)))) for key in self.seen)
        self.seen.clear()
        return text

    def _tail(self, run: DagRun, task_id: str, map_index: int) -> list[str]:
        log = self._quietly(lambda: self.airflow.task_log(run.dag_id, run.run_id, task_id, map_index=map_index))
        return [f"    | {line[:300]}" for line in str(log).splitlines()[-LOG_TAIL:]]

    def _quietly(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except AirflowError as error:
            return f"({error.got})"


def run_path(run: DagRun) -> str:
    return f"/dags/{quote(run.dag_id)}/dagRuns/{quote(run.run_id, safe='')}"
