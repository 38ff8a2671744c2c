"""What withdrawals took from numbers: rows that are not in them, or that they rest on although they are out of use."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from continual.core.window import Window, days_of
from continual.core.withdrawal import Withdrawal
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


def with_withdrawn(ws: Workspace, frame: pd.DataFrame, window: Window, as_of: datetime) -> pd.DataFrame:
    """`frame` of metrics with the column `withdrawn`: rows of the day, or of the whole window, that are not in these
    numbers because they were out of use at `as_of`."""
    by_day = {date.fromisoformat(day): sum(n for _, n in found) for day, found in _days(ws, as_of).items()}
    if "day" in frame:
        return frame.assign(withdrawn=[by_day.get(day, 0) for day in frame["day"]])
    return frame.assign(withdrawn=sum(by_day.get(day, 0) for day in days_of(window)))


def with_withdrawn_since(ws: Workspace, frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` of evaluations with the column `withdrawn`: rows of the window that went out of use after it was made and
    still are. Above 0 the number stands as it was, and rests on rows that nobody would use today."""
    found = _days(ws, None) if len(frame) else {}
    moved = [(date.fromisoformat(day), w.as_of, n) for day, each in found.items() for w, n in each]
    columns = zip(frame["window_start"], frame["window_end"], frame["as_of"], strict=True)
    counts = []
    for start, end, made in columns:
        days = set(days_of(Window(start, end))) if moved else set()
        counts.append(sum(n for day, at, n in moved if day in days and at > made))
    return frame.assign(withdrawn=counts)


def _days(ws: Workspace, as_of: datetime | None) -> dict[str, list[tuple[Withdrawal, int]]]:
    return ws.withdrawals.effects("day", as_of)
