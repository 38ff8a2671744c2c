"""Waiting for a DAG run and what it sets off, with the sentence every task ended with."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from continual.cli.output import console, say

if TYPE_CHECKING:
    from continual.local.airflow_api import AirflowClient
    from continual.local.airflow_runs import DagRun

Wait = Annotated[bool, typer.Option("--wait", help="Wait for the run and what follows; say what each task said.")]
#: DAGs that follow from one another.
LOOP = ("ingest", "monitor", "label", "retrain", "rollback")
_PATIENCE = 6 * 3600.0


def follow(client: AirflowClient, application: str, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """Every run that ended since, with the reason of every task; on stderr while it goes on."""
    known = {dag["dag_id"] for dag in client.dags()}
    ids = [f"{application}.{name}" for name in LOOP if f"{application}.{name}" in known]
    before = {(r.dag_id, r.run_id) for d in ids for r in client.runs(d)} - {(dag_id, run_id)}
    with console(stderr=True).status(f"{dag_id}") as status:
        client.wait(dag_id, run_id, _PATIENCE, lambda run: status.update(_working(run)))
        status.update("what follows from it")
        client.wait_idle(ids, _PATIENCE)
    runs = [r for d in ids for r in client.runs(d) if (r.dag_id, r.run_id) not in before]
    return [_told(client, client.run(r.dag_id, r.run_id)) for r in runs]


def show(found: list[dict[str, Any]]) -> None:
    for run in found:
        say(f"{run['dag']}: {run['state']}", "green" if run["state"] == "success" else "red")
        for task in run["tasks"]:
            say(f"  {task['task']}: {task['reason'] or task['state']}")


def _working(run: DagRun) -> str:
    tasks = [t.task_id for t in run.tasks if t.state in ("running", "queued", "deferred")]
    return f"{run.dag_id}: {', '.join(tasks) or run.state}"


def _told(client: AirflowClient, run: DagRun) -> dict[str, Any]:
    tasks = [{"task": t.task_id, "state": t.state, "reason": _reason(client, run, t)} for t in run.tasks]
    return {"dag": run.dag_id, "run": run.run_id, "state": run.state, "tasks": tasks}


def _reason(client: AirflowClient, run: DagRun, task: Any) -> str | None:
    from continual.local.airflow_http import AirflowError

    with suppress(AirflowError):
        return str(client.xcom(run.dag_id, run.run_id, task.task_id, "reason", task.map_index))
    return None
