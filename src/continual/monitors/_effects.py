"""Streams of one deployment -> how much less each of their days says than as many independent rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from continual.core.alarm import PairedStream
from continual.core.stats.dependence import day_sums, design_effects
from continual.core.stats.lasting import DayTable, lasting_effects

Floats = npt.NDArray[np.float64]


def effects(
    streams: Sequence[PairedStream], bets: Sequence[Sequence[Floats]], prior: float, *, lasting: bool
) -> list[list[float]]:
    """deff of each day with rows of each stream. bets: weighted losses, an array per day. lasting: shocks may last."""
    if not lasting or prior == 0:
        return [
            design_effects([rows for rows in own if len(rows)], prior, stream.before)
            for stream, own in zip(streams, bets, strict=True)
        ]
    calendar = sorted({day for stream in streams for day in stream.days})
    if not calendar:
        return [[] for _ in streams]
    start = date.fromisoformat(calendar[0])
    length = (date.fromisoformat(calendar[-1]) - start).days + 1
    at = [np.array([(date.fromisoformat(day) - start).days for day in stream.days], dtype=int) for stream in streams]
    found = lasting_effects(_table(streams, bets, at, length), prior)
    seen = [np.array([len(rows) > 0 for rows in own], dtype=bool) for own in bets]
    return [found[days[use], column].tolist() for column, (days, use) in enumerate(zip(at, seen, strict=True))]


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
