"""What to say where a window has no rows: which days have some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from continual.core.window import Window, days_of, floor_day
from continual.errors import ContinualError, NotEnoughData
from continual.flows import cells
from continual.flows.day_rows import LIVE
from continual.flows.workspace import Workspace

#: Days of the window that is proposed.
PROPOSED = timedelta(days=28)


@contextmanager
def explained(ws: Workspace, window: Window, as_of: datetime) -> Iterator[None]:
    """An error that is due to a window without rows says so, and which days have some."""
    try:
        yield
    except ContinualError as error:
        other = not _whole_days(window) or _has_cells(ws, window, as_of)
        reason = None if other else no_rows(ws, window, as_of)
        if reason is None:
            raise
        raise reason from error


def _whole_days(window: Window) -> bool:
    return all(floor_day(instant) == instant for instant in (window.start, window.end))


def _has_cells(ws: Workspace, window: Window, as_of: datetime) -> bool:
    """Rows past their retention left them."""
    return bool(ws.cells.generations(window, LIVE, cells.plan_of(ws.policy).layout, as_of))


def no_rows(ws: Workspace, window: Window, as_of: datetime) -> NotEnoughData | None:
    """Why there is nothing to say about a window; None: there are rows."""
    days = ws.log.logged_days(as_of)
    if set(days) & set(days_of(window)):
        return None
    must, known = "There must be rows in the window.", f"known by {as_of:%Y-%m-%d %H:%M}Z"
    if not days:
        return NotEnoughData(
            must, f"not one row of {ws.app} was {known}.", "deliver predictions, or ask for a later instant (--as-of)."
        )
    end = days[-1] + timedelta(days=1)
    start = max(days[0], end - PROPOSED)
    return NotEnoughData(
        must,
        f"none of {ws.app} in {window} {known}; there are rows of {days[0]} to {days[-1]}.",
        f"ask for days with rows, such as --window {start}..{end}.",
    )
