"""Streams of one deployment -> how much less each of their days says than as many independent rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from continual.core.alarm import PairedStream
from continual.core.stats.dependence import DayTable, day_sums, design_effects

Floats = npt.NDArray[np.float64]


def effects(streams: Sequence[PairedStream], bets: Sequence[Sequence[Floats]], prior: float) -> list[Floats]:
    """deff of each day of each stream, (days,). bets: weighted losses, an array per day, none empty on a day that
    counts; a day without rows gets 1."""
    calendar = sorted({day for stream in streams for day in stream.days})
    if not calendar or prior == 0:
        return [np.ones(len(stream.days)) for stream in streams]
    start = date.fromisoformat(calendar[0])
    length = (date.fromisoformat(calendar[-1]) - start).days + 1
    at = [np.array([(date.fromisoformat(day) - start).days for day in stream.days], dtype=int) for stream in streams]
    found = design_effects(_table(streams, bets, at, length), prior)
    return [found[days, column] for column, days in enumerate(at)]


def _table(
    streams: Sequence[PairedStream], bets: Sequence[Sequence[Floats]], at: Sequence[npt.NDArray[np.int_]], length: int
) -> DayTable:
    """Days before the deployment end together, whatever their number."""
    before = max(len(stream.before) for stream in streams)
    parts = np.zeros((3, before + length, len(streams)))
    for column, (stream, own, days) in enumerate(zip(streams, bets, at, strict=True)):
        for day, sums in enumerate(stream.before, start=before - len(stream.before)):
            parts[:, day, column] = sums
        for day, rows in zip(days, own, strict=True):
            if len(rows):
                parts[:, before + day, column] = day_sums(rows)
    return DayTable(parts[0], parts[1], parts[2], before)
