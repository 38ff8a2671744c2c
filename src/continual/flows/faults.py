"""Did the inputs break? Daily counts of every column in every slice, read by the policy's detector, before labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.slices import Slice, masks
from continual.core.stats.jump_counts import Bools, Counts, Ints, category_counts, number_counts
from continual.core.window import Window, floor_day
from continual.detectors.base import Beside, ColumnDays, DayTables, FaultReading
from continual.flows.logged import prediction_rows
from continual.flows.workspace import Workspace
from continual.policy.models import Policy

if TYPE_CHECKING:
    import pandas as pd

#: A newest day with fewer rows than this share of the usual is not complete: part of a day has other hours.
COMPLETE = 0.5
SCORE = "prediction"


def read_inputs(ws: Workspace, slices: list[Slice], champion: str, as_of: datetime) -> FaultReading:
    """The detector on the whole days before `as_of`, as known then. The score's past is the champion's own."""
    end = floor_day(as_of)
    start = end - timedelta(days=ws.policy.detector.history_days)
    frame = prediction_rows(ws, Window(start, end), as_of)
    frame, detector = frame.reset_index(drop=True), ws.policy.detector
    score = day_tables(ws.policy, frame, slices, champion, ["score"])
    if score is None:
        return FaultReading((), "inputs not looked at: no row is logged yet")

    def inputs() -> Beside:
        tables = day_tables(ws.policy, frame, slices, champion, ["input"])
        assert tables is not None  # noqa: S101
        size = detector.size(tables)
        return replace(size, faults=detector.read(tables, replace(detector.size(score), faults=())).faults)

    key = [end.isoformat(), as_of.isoformat(), [one.as_dict() for one in slices], detector.size(score).looks]
    return detector.read(score, ws.recalled(key, inputs))


def day_tables(
    policy: Policy, frame: pd.DataFrame, slices: list[Slice], champion: str, roles: Sequence[str] = ("input", "score")
) -> DayTables | None:
    """Counts of the complete days of `frame` (rows of predictions); None without rows. Days without rows are absent.
    roles: of the columns to count."""
    if frame.empty:
        return None
    number = frame["event_time"].to_numpy("datetime64[D]").astype(np.int64)
    names, day = np.unique(number, return_inverse=True)
    if len(names) > 1 and (day == len(names) - 1).sum() < COMPLETE * np.median(np.bincount(day)):
        frame = frame[day < len(names) - 1].reset_index(drop=True)
        return day_tables(policy, frame, slices, champion, roles)
    inside = masks(slices, frame)
    mask = np.array([inside[s.name] for s in slices])
    where = _Days(day, len(names), mask, day < min(policy.detector.history_days // 2, len(names)))
    named = [name for name in policy.columns if name in frame and "input" in roles]
    columns = [_input(policy, frame, name, where) for name in named]
    own = (frame["model_version"] == champion).to_numpy(dtype=bool)
    return DayTables(
        days=tuple(str(np.datetime64(int(n), "D")) for n in names),
        weekday=(names + 3) % 7,
        slices=tuple(s.name for s in slices),
        predicates=tuple(s.predicate for s in slices),
        columns=[*columns, *([_score(frame, own, where)] if "score" in roles else [])],
    )


class _Days:
    """day: (n,) number of the row's day. masks: (S, n). before: (n,) rows that say what a usual day is."""

    def __init__(self, day: Ints, days: int, inside: Bools, before: Bools) -> None:
        self.day, self.days, self.masks, self.before = day, days, inside, before


def _input(policy: Policy, frame: pd.DataFrame, name: str, where: _Days) -> ColumnDays:
    numeric = name in policy.features.numeric or name in policy.features.extra
    count: Any = number_counts if numeric else category_counts
    if numeric:
        values = frame[name].to_numpy(dtype=float, na_value=np.nan)
    else:
        values = frame[name].astype(object).where(frame[name].notna(), None).to_numpy()
    found: Counts = count(values, where.day, where.days, where.masks, where.before)
    return ColumnDays(name, "input", *found)


def _score(frame: pd.DataFrame, own: Bools, where: _Days) -> ColumnDays:
    """The champion's answers as served; days before it served are empty, and its first half of days is its past."""
    values = frame[SCORE].to_numpy(dtype=float, na_value=np.nan)
    served = where.day[own]
    middle = int(np.median(served)) if len(served) else 0
    before = own & (where.day <= middle)
    return ColumnDays(SCORE, "score", *number_counts(values, where.day, where.days, where.masks & own, before))


def faulty_rows(frame: pd.DataFrame, reading: FaultReading) -> Bools:
    """(n,) rows of `frame` in the slice and on the days of a fault of an input."""
    day = frame["event_time"].dt.strftime("%Y-%m-%d")
    out = np.zeros(len(frame), dtype=bool)
    for fault in reading.faults:
        if fault.role == "input":
            inside = masks([Slice(fault.slice, fault.predicate, "standard", None)], frame)[fault.slice]
            out |= inside & day.isin(fault.days).to_numpy()
    return out
