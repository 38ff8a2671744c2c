"""Drive Airflow as a person does in its UI: trigger, watch, clear, read."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from continual.core.window import Window, utc
from continual.local.airflow_http import AirflowError, AirflowHttp
from continual.local.airflow_runs import DagRun, TaskRun

_POLL = 0.5
_PAGE = 100
_SAME_WINDOW = 100
_EVERY_LINE = {"try_number", "map_index", "run_id", "ti_id", "dag_id", "task_id", "filename", "lineno"}


class AirflowClient:
    """Airflow's REST API v2. Every failure is an `AirflowError` with Airflow's own detail."""

    def __init__(self, base_url: str, username: str, password: str, patience: float = 15.0) -> None:
        """patience: seconds to go on trying while Airflow cannot be reached."""
        self.http = AirflowHttp(base_url, username, password, patience)

    # --- DAGs ---

    def dags(self) -> list[dict[str, Any]]:
        """All DAGs that are still in a file, as Airflow describes them."""
        return [dag for dag in self._pages("/dags", "dags") if not dag["is_stale"]]

    def import_errors(self) -> dict[str, str]:
        """File name -> traceback, for the DAG files that could not be read."""
        return {e["filename"]: e["stack_trace"] for e in self._pages("/importErrors", "import_errors")}

    def wait_for_dags(self, ids: Iterable[str], timeout: float = 60.0) -> None:
        """Wait until Airflow has read all these DAGs.

        Raises
        ------
        AirflowError: some are missing after `timeout` seconds; names them and the import errors.
        """
        wanted = set(ids)
        missing = wanted
        for _ in _until(timeout):
            missing = wanted - {dag["dag_id"] for dag in self.dags()}
            if not missing:
                return
        errors = "\n".join(f"{file}:\n{trace}" for file, trace in self.import_errors().items()) or "no import error."
        raise AirflowError(
            f"Airflow must have read {', '.join(sorted(wanted))} within {timeout:g} s.",
            f"{', '.join(sorted(missing))} missing; {errors}",
            "correct the DAG file or the policy it reads.",
        )

    def pause(self, dag_id: str) -> None:
        self.http.request("PATCH", f"/dags/{_q(dag_id)}", body={"is_paused": True})

    def unpause(self, dag_id: str) -> None:
        self.http.request("PATCH", f"/dags/{_q(dag_id)}", body={"is_paused": False})

    # --- runs ---

    def trigger(
        self,
        dag_id: str,
        window: Window | None = None,
        conf: dict[str, Any] | None = None,
        logical_date: datetime | None = None,
        note: str | None = None,
    ) -> str:
        """Start a run; returns its id.

        window: becomes the data interval. Airflow keeps an interval only beside a logical date, and a date only
        once per DAG; without `logical_date` it is the window's start, or the next free microsecond after it.
        """
        run_id = f"manual__{_name(window)}__{secrets.token_hex(4)}"
        body: dict[str, Any] = {"dag_run_id": run_id, "conf": conf or {}, "note": note}
        if window:
            body |= {"data_interval_start": window.start.isoformat(), "data_interval_end": window.end.isoformat()}
        if logical_date or not window:
            dates = [utc(logical_date) if logical_date else None]
        else:
            dates = [window.start + timedelta(microseconds=n) for n in range(_SAME_WINDOW)]
        for date in dates[:-1]:
            with suppress(_DateTakenError):
                return self._trigger(dag_id, {**body, "logical_date": date.isoformat() if date else None})
        return self._trigger(dag_id, {**body, "logical_date": dates[-1].isoformat() if dates[-1] else None})

    def _trigger(self, dag_id: str, body: dict[str, Any]) -> str:
        path = f"/dags/{_q(dag_id)}/dagRuns"
        try:
            self.http.request("POST", path, body=body)
        except AirflowError as error:
            if error.status != 409:
                raise
            try:  # a repeated request whose first answer was lost
                self.http.get(f"{path}/{_q(body['dag_run_id'])}")
            except AirflowError:
                raise _DateTakenError(
                    "A DAG has at most one run per logical date.",
                    f"{dag_id} has one for logical_date {body['logical_date']} already ({error.got})",
                    "clear that run, or trigger with another logical date.",
                    error.status,
                ) from error
        return str(body["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """One run with its tasks."""
        value = self.http.get(f"/dags/{_q(dag_id)}/dagRuns/{_q(run_id)}")
        return DagRun.of(value, tuple(self.task_instances(dag_id, run_id)))

    def runs(self, dag_id: str = "~", states: Iterable[str] = ()) -> list[DagRun]:
        """Runs without their tasks, oldest first; of all DAGs by default."""
        path = f"/dags/{_q(dag_id)}/dagRuns"
        values = self._pages(path, "dag_runs", state=list(states) or None, order_by="run_after")
        return [DagRun.of(value) for value in values]

    def wait(
        self, dag_id: str, run_id: str, timeout: float = 600.0, on_update: Callable[[DagRun], None] | None = None
    ) -> DagRun:
        """Wait for the run's end, successful or not.

        on_update: called with the run whenever its state or a task's state changed.

        Raises
        ------
        AirflowError: not finished within `timeout` seconds; names the tasks it waits for.
        """
        run: DagRun | None = None
        for _ in _until(timeout):
            seen, run = run, self.run(dag_id, run_id)
            if on_update and run != seen:
                on_update(run)
            if run.finished:
                return run
        open_tasks = {f"{t.task_id}={t.state}" for t in run.tasks if t.state != "success"} if run else {"unknown"}
        raise AirflowError(
            f"Run {run_id} of {dag_id} must finish within {timeout:g} s.",
            f"{run.state if run else 'no answer'}, {', '.join(sorted(open_tasks))}.",
            "read the task's log in Airflow; a paused DAG or an unanswered approval also waits.",
        )

    def wait_idle(self, dag_ids: Iterable[str], timeout: float = 600.0, settle: float = 1.5) -> None:
        """Wait until these DAGs have no queued or running run and no asset event that waits to start one.

        Two looks `settle` seconds apart must agree, because a run that ends emits the event that starts the next.

        Raises
        ------
        AirflowError: not idle within `timeout` seconds; names the runs and events (a paused DAG keeps its events).
        """
        ids = sorted(set(dag_ids))
        before: Any = None
        busy: list[str] = []
        for _ in _until(timeout, settle):
            busy, now = self._activity(ids)
            if not busy and now == before:
                return
            before = now
        raise AirflowError(
            f"{', '.join(ids)} must become idle within {timeout:g} s.",
            f"still waiting for {', '.join(busy) or 'a quiet moment'}.",
            "unpause the DAG or look at its runs in Airflow.",
        )

    def _activity(self, ids: list[str]) -> tuple[list[str], list[int]]:
        """What is going on, and a count of all runs per DAG (which tells a run that came and went)."""
        busy, counts = [], []
        for dag_id in ids:
            events = self._or_none(f"/dags/{_q(dag_id)}/assets/queuedEvents")
            busy += [f"{dag_id} (asset event)"] if events and events["total_entries"] else []
            busy += [f"{dag_id} {run.run_id} ({run.state})" for run in self.runs(dag_id, ("queued", "running"))]
            counts.append(self.http.get(f"/dags/{_q(dag_id)}/dagRuns", limit=1)["total_entries"])
        return busy, counts

    def clear(self, dag_id: str, run_id: str, task_ids: Iterable[str] | None = None, **options: Any) -> list[str]:
        """Clear tasks of a run (all by default), so that they run again; returns the ids of what was cleared.

        options: further fields of Airflow's ClearTaskInstancesBody, e.g. `include_downstream=True`.
        """
        body = {"dag_run_id": run_id, "dry_run": False, "only_failed": False, "reset_dag_runs": True, **options}
        if task_ids is not None:
            body["task_ids"] = list(task_ids)
        answer = self.http.request("POST", f"/dags/{_q(dag_id)}/clearTaskInstances", body=body)
        return [task["task_id"] for task in answer["task_instances"]]

    def backfill(self, dag_id: str, start: datetime, end: datetime, reprocess: str = "none", **options: Any) -> int:
        """Create runs for the scheduled intervals from `start` to `end` (both logical dates included).

        reprocess: `none`, `failed` or `completed`: which existing runs to run again. Returns the backfill's id.
        """
        body = {"dag_id": dag_id, "from_date": utc(start).isoformat(), "to_date": utc(end).isoformat()}
        body |= {"reprocess_behavior": reprocess, **options}
        return int(self.http.request("POST", "/backfills", body=body)["id"])

    def wait_backfill(self, backfill_id: int, timeout: float = 600.0) -> None:
        """Wait until every run of a backfill has finished.

        Raises
        ------
        AirflowError: not completed within `timeout` seconds.
        """
        for _ in _until(timeout):
            backfill = self.http.get(f"/backfills/{backfill_id}")  # marked completed up to 30 s after its last run
            unfinished = self.runs(backfill["dag_id"], ("queued", "running"))
            if backfill["completed_at"] or not any(run.run_type == "backfill" for run in unfinished):
                return
        raise AirflowError(
            f"Backfill {backfill_id} must complete within {timeout:g} s.",
            "it has not.",
            "look at the DAG's runs in Airflow.",
        )

    # --- tasks ---

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskRun]:
        path = f"/dags/{_q(dag_id)}/dagRuns/{_q(run_id)}/taskInstances"
        return [TaskRun.of(value) for value in self._pages(path, "task_instances", order_by="id")]

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """The value a task returned or pushed; AirflowError with status 404 when there is none."""
        path = f"{_task(dag_id, run_id, task_id)}/xcomEntries/{_q(key)}"
        return self.http.get(path, map_index=map_index, deserialize=False, stringify=False)["value"]

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int | None = None, map_index: int = -1
    ) -> str:
        """The log of one try (the last by default) as text, one event a line."""
        number = try_number or self.run(dag_id, run_id).task(task_id, map_index).try_number
        path = f"{_task(dag_id, run_id, task_id)}/logs/{number}"
        content = self.http.get(path, map_index=map_index, full_content=True)["content"]
        return "\n".join(line if isinstance(line, str) else _line(line) for line in content)

    # --- plumbing ---

    def _pages(self, path: str, key: str, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self.http.get(path, limit=_PAGE, offset=len(found), **params)
            found += page[key]
            if not page[key] or len(found) >= page["total_entries"]:
                return found

    def _or_none(self, path: str) -> Any:
        try:
            return self.http.get(path)
        except AirflowError as error:
            if error.status != 404:
                raise
            return None


class _DateTakenError(AirflowError):
    """The DAG already has a run with this logical date."""


def _until(timeout: float, pause: float = _POLL) -> Iterator[None]:
    """Yield at least once and then every `pause` seconds until `timeout` seconds have passed."""
    deadline = time.monotonic() + timeout
    while True:
        yield
        if time.monotonic() >= deadline:
            return
        time.sleep(pause)


def _q(part: str) -> str:
    return quote(part, safe="~")


def _task(dag_id: str, run_id: str, task_id: str) -> str:
    return f"/dags/{_q(dag_id)}/dagRuns/{_q(run_id)}/taskInstances/{_q(task_id)}"


def _line(event: dict[str, Any]) -> str:
    head = ("timestamp", "level", "event")
    rest = {k: v for k, v in event.items() if k not in {*head, "logger", *_EVERY_LINE}}
    return " ".join([*(str(event[k]) for k in head if event.get(k)), *([str(rest)] if rest else [])])


def _name(window: Window | None) -> str:
    """The window in a run id; Airflow refuses two dots in a row."""
    return f"{window.start:%Y-%m-%dT%H:%M}_{window.end:%Y-%m-%dT%H:%M}" if window else "now"
