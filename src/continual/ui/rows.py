"""The rows behind a number: read from the log as they were known, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from continual.core.expression import Matcher
from continual.core.slices import resolve
from continual.core.verdict import OVERALL
from continual.core.window import Window, day_window, days_of
from continual.errors import ContinualError
from continual.flows.logged import labelled_rows
from continual.flows.workspace import Workspace
from continual.ui.asked import Asked, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

#: Rows of a page.
ROWS = 50
#: Days that are read at most to fill a page.
REACH = 14
FIRST = ("event_time", "record_key", "model_version", "prediction", "label", "label_known_at")
HIDDEN = ("row_hash", "batch_id")


@dataclass(frozen=True)
class RowsPage:
    """Logged rows of a slice, by day and record key. after: where the next page starts; None = the end. read: the days
    that were looked at. predicate: of the slice, '' where it differs from day to day."""

    moment: Moment
    slice: str
    predicate: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    after: str | None
    read: tuple[date, ...]


def rows_behind(ws: Workspace, asked: Asked) -> RowsPage:
    """Rows of the slice in the window as known at as_of; one day at a time until the page is full.

    Raises
    ------
    ContinualError: the start of the page cannot be read. StoreError: the log cannot be read.
    """
    moment, name = asked.moment(ws), asked.text("slice", OVERALL)
    predicate = _predicate(ws, name)
    first, key = _start(asked.text("after"), moment.window)
    rows: list[tuple[str, ...]] = []
    columns: tuple[str, ...] = ()
    read: list[date] = []
    for day in [d for d in days_of(moment.window) if d >= first]:
        if len(read) >= REACH:
            return RowsPage(moment, name, predicate, columns, tuple(rows), f"{day}|", tuple(read))
        frame = _of_day(ws, day, moment, name, predicate)
        frame = frame[frame["record_key"] > key] if day == first and key else frame
        read.append(day)
        columns = columns or tuple(_shown(frame))
        rows += _texts(frame.head(ROWS - len(rows)), columns)
        if len(rows) >= ROWS:
            last = rows[-1][columns.index("record_key")]
            return RowsPage(moment, name, predicate, columns, tuple(rows), f"{day}|{last}", tuple(read))
    return RowsPage(moment, name, predicate, columns, tuple(rows), None, tuple(read))


def _of_day(ws: Workspace, day: date, moment: Moment, name: str, predicate: str) -> pd.DataFrame:
    window = Window(max(day_window(day).start, moment.window.start), min(day_window(day).end, moment.window.end))
    frame = labelled_rows(ws, window, moment.as_of)
    return _inside(ws, frame, name, predicate).sort_values("record_key", kind="stable")


def _start(after: str, window: Window) -> tuple[date, str]:
    day, _, key = after.partition("|")
    try:
        return (date.fromisoformat(day), key) if day else (window.start.date(), "")
    except ValueError:
        raise ContinualError("A page of rows starts after a row.", f"{after!r}.", "follow the page's links.") from None


def _predicate(ws: Workspace, name: str) -> str:
    """Of the policy's named slices, else what the newest gate took the slice to be; '' where neither knows it."""
    if name == OVERALL:
        return "TRUE"
    for spec in ws.policy.slices:
        if spec.name == name and spec.where is not None:
            return spec.where
    known = ws.definitions.latest(name)
    return known.predicate if known else ""


def _inside(ws: Workspace, frame: pd.DataFrame, name: str, predicate: str) -> pd.DataFrame:
    """Rows of the slice; one that no gate has seen is found among the values of the rows themselves."""
    if frame.empty or name == OVERALL:
        return frame
    if not predicate:
        every = [s.model_copy(update={"top": 1000, "min_rows": 1}) for s in ws.policy.slices if s.where is None]
        predicate = next((s.predicate for s in resolve(every, frame) if s.name == name), "")
    if not predicate:
        return frame.head(0)
    return frame[Matcher({str(c): frame[c] for c in frame.columns}, len(frame)).mask(predicate)]


def _shown(frame: pd.DataFrame) -> Iterator[str]:
    yield from (c for c in FIRST if c in frame.columns)
    yield from (str(c) for c in frame.columns if c not in FIRST and c not in HIDDEN)


def _texts(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [tuple(_text(value) for value in row) for row in frame[list(columns)].itertuples(index=False)]


def _text(value: Any) -> str:
    import pandas as pd

    if value is None or pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
