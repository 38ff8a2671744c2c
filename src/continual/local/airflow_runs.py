"""What Airflow says about runs and tasks, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continual.core.window import Window

FINISHED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class TaskRun:
    """One task instance. duration: seconds, None before it ended; map_index: -1 when not mapped."""

    task_id: str
    state: str | None
    duration: float | None
    try_number: int
    map_index: int

    @classmethod
    def of(cls, value: dict[str, Any]) -> TaskRun:
        names = ("task_id", "state", "duration", "try_number", "map_index")
        return cls(**{name: value[name] for name in names})


@dataclass(frozen=True)
class DagRun:
    """One run. window: its data interval, None when Airflow has none (manual and asset-triggered runs)."""

    dag_id: str
    run_id: str
    run_type: str
    state: str
    window: Window | None
    logical_date: datetime | None
    conf: dict[str, Any]
    note: str | None
    duration: float | None
    tasks: tuple[TaskRun, ...] = ()

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def succeeded(self) -> bool:
        return self.state == "success"

    def task(self, task_id: str, map_index: int = -1) -> TaskRun:
        """Raises KeyError when the run has no such task."""
        for task in self.tasks:
            if (task.task_id, task.map_index) == (task_id, map_index):
                return task
        raise KeyError(f"run {self.run_id} of {self.dag_id} has no task {task_id!r} with map index {map_index}")

    @classmethod
    def of(cls, value: dict[str, Any], tasks: tuple[TaskRun, ...] = ()) -> DagRun:
        date = value["logical_date"]
        return cls(
            dag_id=value["dag_id"],
            run_id=value["dag_run_id"],
            run_type=value["run_type"],
            state=value["state"],
            window=_window(value["data_interval_start"], value["data_interval_end"]),
            logical_date=datetime.fromisoformat(date) if date else None,
            conf=value["conf"] or {},
            note=value["note"],
            duration=value["duration"],
            tasks=tasks,
        )


def _window(start: str | None, end: str | None) -> Window | None:
    if not start or not end or start == end:
        return None
    return Window(datetime.fromisoformat(start), datetime.fromisoformat(end))
