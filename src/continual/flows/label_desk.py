"""From requests in the queue to what annotators see: columns of the log, never an answer on rows that judge."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.labelling import Task, Use
from continual.core.window import Window
from continual.flows.workspace import Workspace
from continual.labelers.base import Desk

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.label_queue import LabelQueue
    from continual.stores.label_reading import LabelReading


def queue_of(ws: Workspace) -> LabelQueue:
    """The application's queue."""
    from continual.stores.label_queue import LabelQueue

    return LabelQueue(ws.db, ws.app, ws.policy.labelling.tolerance)


def reading_of(ws: Workspace) -> LabelReading:
    """The same, to look at."""
    from continual.stores.label_reading import LabelReading

    return LabelReading(ws.db, ws.app)


def desk_of(ws: Workspace) -> Desk:
    """Where the policy's labeler works, and what it remembers."""
    from continual.stores.label_memory import LabelMemory

    memory = LabelMemory(ws.db, ws.app).read(ws.policy.labeler.kind)
    return Desk(ws.app, ws.policy.question, ws.settings.home / "labelling" / ws.app, memory)


def remember(ws: Workspace, memory: Any) -> None:
    """What the labeler's last call said it must."""
    from continual.stores.label_memory import LabelMemory

    LabelMemory(ws.db, ws.app).write(ws.policy.labeler.kind, dict(memory))


def waiting_tasks(ws: Workspace, asked_at: Any = None) -> list[Task]:
    """Everything somebody may still be asked about, the first to be labelled first."""
    return tasks_of(ws, reading_of(ws).requests(asked_at))


def tasks_of(ws: Workspace, requests: pd.DataFrame) -> list[Task]:
    """requests: rows of `LabelReading.requests`. A row that left the log (erased, expired) makes no task."""
    if requests.empty:
        return []
    rows = _logged(ws, requests)
    shown = ws.policy.labelling.show or ws.policy.columns
    tasks = []
    for asked in requests.to_dict("records"):
        row = rows.get(asked["key"])
        if row is None:
            continue
        use = Use(asked["use"])
        fields = {name: _plain(row[name]) for name in shown}
        blind = use is not Use.TRAINING or asked["votes"]  # the second of two judges whether the first was led
        guess = None if blind else _guess(ws, row)
        tasks.append(Task(asked["key"], fields, use, int(asked["needed"]), guess))
    return tasks


def _logged(ws: Workspace, requests: pd.DataFrame) -> dict[str, dict[str, Any]]:
    if requests.empty:
        return {}
    start, end = requests["window_start"].min(), requests["window_end"].max()
    known = requests["asked_at"].max().to_pydatetime() + timedelta(microseconds=1)
    columns = ["record_key", *ws.policy.columns, *ws.policy.label.target.columns]
    frame = ws.log.read_predictions(Window(start.to_pydatetime(), end.to_pydatetime()), known, columns)
    wanted = frame[frame["record_key"].isin(set(requests["key"]))]
    return {str(row["record_key"]): {str(n): v for n, v in row.items()} for row in wanted.to_dict("records")}


def _guess(ws: Workspace, row: dict[str, Any]) -> float | None:
    """What the serving version said; None: it said nothing."""
    said = row["prediction"]
    if said is None or not np.isfinite(said):
        return None
    return float(said >= 0.5) if ws.policy.label.target.task == "binary" else float(said)


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return None if missing else value


def shown_answers(ws: Workspace, requests: pd.DataFrame) -> dict[str, float]:
    """Key -> the model's answer that annotators saw, of rows that only train."""
    return served_answers(ws, requests[requests["use"] == Use.TRAINING])


def served_answers(ws: Workspace, requests: pd.DataFrame) -> dict[str, float]:
    """Key -> what the serving version said."""
    found = {key: _guess(ws, row) for key, row in _logged(ws, requests).items()}
    return {key: value for key, value in found.items() if value is not None}
