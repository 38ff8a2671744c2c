"""What erasure and retention took from numbers: counted by day, since the table `erasure` never holds a key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from continual.core.window import Window, days_of
from continual.flows import cells
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.erasure import Erasure


def absent(ws: Workspace, window: Window, as_of: datetime, version: str) -> dict[date, int]:
    """Rows by UTC day of the window that are not in the metrics of `version`: erased by record key, or past their
    retention without cells that were built before. Expired days whose cells were kept lack nothing."""
    found = _erasures(ws, window)
    if not found:
        return {}
    kept = {
        cells.EPOCH + timedelta(days=day)
        for day in ws.cells.generations(window, version, cells.plan_of(ws.policy).layout, as_of)
    }
    gone: dict[date, int] = {}
    for one in found:
        if one.kind == "erase" or one.day not in kept:
            gone[one.day] = gone.get(one.day, 0) + one.n_rows
    return gone


def with_absent(ws: Workspace, frame: pd.DataFrame, window: Window, as_of: datetime) -> pd.DataFrame:
    """`frame` of metrics with the column `erased`: `absent` of the row's day, or of the whole window."""
    by_version = {version: absent(ws, window, as_of, version) for version in frame["version"].unique()}
    if "day" in frame:
        rows = zip(frame["version"], frame["day"], strict=True)
        return frame.assign(erased=[by_version[version].get(day, 0) for version, day in rows])
    total = {version: sum(days.values()) for version, days in by_version.items()}
    return frame.assign(erased=[total[version] for version in frame["version"]])


def with_erased_since(ws: Workspace, frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` of evaluations with the column `erased`: rows of the window that went, by key or by retention, with an
    as_of not before the evaluation's. Above 0 the number stands as it was, but rows it rests on are gone."""
    found = _erasures(ws, None) if len(frame) else []
    columns = zip(frame["window_start"], frame["window_end"], frame["as_of"], strict=True)
    return frame.assign(erased=[_since(found, Window(start, end), made) for start, end, made in columns])


def _since(found: Sequence[Erasure], window: Window, made: datetime) -> int:
    days = set(days_of(window)) if found else set()
    return sum(one.n_rows for one in found if one.day in days and one.as_of >= made)


def _erasures(ws: Workspace, window: Window | None) -> list[Erasure]:
    from continual.stores.erasure import ErasureStore

    store = ErasureStore(ws.db, ws.app)
    days = days_of(window) if window else []
    return store.read(days[0], days[-1]) if days else store.read()
