"""The demo's world: Airflow and MLflow running, flights to play, the policy file to edit as a colleague would."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from continual.core.window import Window, utc
from continual.demo import flights
from continual.demo.replayer import LANDING, Replayer
from continual.flows.serving_check import load_version
from continual.flows.workspace import Workspace
from continual.local.airflow_runs import DagRun
from continual.local.home import Home
from continual.local.stack import LocalStack
from continual.models.artifact import score
from continual.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from continual.local.airflow_api import AirflowClient

APP = "flights"
DAGS = [f"{APP}.{name}" for name in ("ingest", "monitor", "retrain", "rollback")]
REPOSITORY = Path(__file__).parents[3]
Note = Callable[[str], None]
#: Makes what runs Airflow and MLflow, from the home and the folder of policies; `tests/production` brings its own.
StackMaker = Callable[[Path, Path, Note], Any]


def local_stack(home: Path, configs: Path, note: Note) -> LocalStack:
    folders = (REPOSITORY / "dags", REPOSITORY / "plugins", configs)
    return LocalStack(Home(home), *folders, progress=note, parallelism=2)


def day(text: str) -> datetime:
    return utc(f"{text}T00:00:00+00:00")


class World:
    """Everything a chapter may touch. It acts on the product only as people and outside systems do: by delivering
    files, editing the policy, triggering DAG runs; and reads what came of it."""

    def __init__(self, home: Path, note: Note, stack: StackMaker = local_stack, patience: float = 300) -> None:
        """patience: seconds that a run, and what follows from it, may take."""
        self.home, self.note, self._make_stack, self.patience = home.resolve(), note, stack, patience
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        configs = self.home / "configs"
        configs.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "configs" / f"{APP}.yaml", configs)
        for stream in ("predictions", "labels"):
            (self.home / LANDING / stream).mkdir(parents=True, exist_ok=True)
        self.stack = self._exit.enter_context(self._make_stack(self.home, configs, self.note))
        os.environ.update({k: v for k, v in self.stack.environment.items() if k.startswith("MLFLOW_")})
        self.airflow: AirflowClient = self.stack.airflow
        self.airflow.wait_for_dags(DAGS, timeout=90)
        return self

    def __exit__(self, *details: Any) -> None:
        self._exit.__exit__(*details)

    @cached_property
    def flights(self) -> pd.DataFrame:
        self.note("reading the flights of 2013")
        return flights.load(self.home)

    def workspace(self) -> Workspace:
        """A fresh reader of ledger and registry: what it sees is what is there now."""
        return Workspace.open(APP, run="demo", settings=Settings.from_environment(self.stack.environment))

    # --- the outside world ---

    def play(self, start: str, end: str) -> None:
        """Fly the days [start, end): the champion of the moment predicts, labels arrive as planes land."""
        self.note(f"playing the flights of {start} to {end}")
        Replayer(self.home, self.flights, self._serving()).play(Window(day(start), day(end)))

    def _serving(self) -> Callable[[pd.DataFrame], tuple[npt.NDArray[np.float64], str]] | None:
        ws = self.workspace()
        version = ws.registry.champion()
        if version is None:
            return None
        model = load_version(ws, version)
        return lambda rows: (score(model, rows, ws.policy.features.all), version)

    def delivered(self, date: str) -> Path:
        """The predictions file of a day."""
        return self.home / LANDING / "predictions" / f"{date}.parquet"

    # --- a colleague ---

    def edit(self, old: str, new: str) -> None:
        """Replace text in the policy file."""
        path = self.home / "configs" / f"{APP}.yaml"
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"the policy must hold {old!r} once, it holds it {text.count(old)} times")
        path.write_text(text.replace(old, new), encoding="utf-8")

    # --- Airflow ---

    def ingest(self, start: str, end: str) -> DagRun:
        """Trigger the ingest DAG for an interval and wait for everything it sets off."""
        window = Window(day(start), day(end))
        return self._run(f"{APP}.ingest", window=window, logical_date=window.end)

    def retrain(self, as_of: str, reason: str) -> DagRun:
        return self._run(f"{APP}.retrain", conf={"as_of": day(as_of).isoformat(), "reason": reason})

    def again(self, run: DagRun) -> DagRun:
        """Clear a run, as a person does after a fix."""
        self.airflow.clear(run.dag_id, run.run_id)
        return self._finish(run.dag_id, run.run_id)

    def _run(self, dag_id: str, **options: Any) -> DagRun:
        return self._finish(dag_id, self.airflow.trigger(dag_id, **options))

    def _finish(self, dag_id: str, run_id: str) -> DagRun:
        run = self.airflow.wait(dag_id, run_id, timeout=self.patience, on_update=self._tell)
        if run.succeeded:
            self.note("waiting for what follows from it")
            self.airflow.wait_idle(DAGS, timeout=self.patience)
        return run

    def _tell(self, run: DagRun) -> None:
        working = [t.task_id for t in run.tasks if t.state in ("running", "queued")]
        self.note(f"{run.dag_id}: {', '.join(working) or run.state}")

    def last_run(self, name: str) -> DagRun:
        """The newest run of one of the application's DAGs, with its tasks."""
        run = self.airflow.runs(f"{APP}.{name}")[-1]
        return self.airflow.run(run.dag_id, run.run_id)

    def failures(self) -> list[str]:
        """Tasks that failed, of all runs: the first place to look when a chapter does not hold."""
        failed = [self.airflow.run(run.dag_id, run.run_id) for run in self.airflow.runs(states=["failed"])]
        return [f"{r.dag_id} {r.run_id}: {t.task_id} failed" for r in failed for t in r.tasks if t.state == "failed"]

    # --- links ---

    def run_url(self, run: DagRun) -> str:
        return f"{self.stack.airflow_url}/dags/{run.dag_id}/runs/{run.run_id}"

    def version_url(self, version: str) -> str:
        return f"{self.stack.mlflow_uri}/#/models/{APP}/versions/{version}"
