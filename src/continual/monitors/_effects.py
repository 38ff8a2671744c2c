"""Streams of one deployment -> how much less each of their days says than as many independent rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from continual.core.alarm import PairedStream
from continual.core.stats.dependence import DaySums, day_sums, design_effects
from continual.core.stats.lasting import DayTable, lasting_effects
from continual.core.stats.shared import adjusted, surprises
from continual.core.verdict import OVERALL

Floats = npt.NDArray[np.float64]
Bets = Sequence[Sequence[Floats]]


class Said(NamedTuple):
    """What a day of a stream says. effect: its design effect. beside: of a slice that is read beside the others, what
    all other rows did that day and their earlier days did not foretell, nan = nothing known; and the design effect of
    the losses less that."""

    effect: float
    beside: float | None = None
    beside_effect: float = 1.0


def effects(streams: Sequence[PairedStream], bets: Bets, prior: float, *, lasting: bool) -> list[list[Said]]:
    """Of each day with rows of each stream. bets: weighted losses, an array per day. lasting: shocks may last."""
    if not lasting or prior == 0:
        return [
            [Said(effect) for effect in design_effects([rows for rows in own if len(rows)], prior, _with_rows(stream))]
            for stream, own in zip(streams, bets, strict=True)
        ]
    calendar = sorted({day for stream in streams for day in stream.days})
    if not calendar:
        return [[] for _ in streams]
    start = date.fromisoformat(calendar[0])
    length = (date.fromisoformat(calendar[-1]) - start).days + 1
    at = [np.array([(date.fromisoformat(day) - start).days for day in stream.days], dtype=int) for stream in streams]
    table = _table(streams, bets, at, length)
    found = lasting_effects(table, prior)
    beside = _beside(streams, table, found, prior)
    out = []
    for column, (stream, days, own) in enumerate(zip(streams, at, bets, strict=True)):
        parts = [found] if beside is None or stream.slice == OVERALL else [found, *beside]
        use = days[np.array([len(rows) > 0 for rows in own], dtype=bool)]
        out.append([Said(*(float(part[day, column]) for part in parts)) for day in use])
    return out


def _beside(
    streams: Sequence[PairedStream], table: DayTable, found: Floats, prior: float
) -> tuple[Floats, Floats] | None:
    """Surprises of the other rows and the design effects without them, (days, streams). None where labels were chosen:
    weights are a slice's own, so that rows of two slices do not add up."""
    names = [stream.slice for stream in streams]
    if OVERALL not in names or any(stream.weight is not None for stream in streams):
        return None
    own = names.index(OVERALL)
    whole = DayTable(table.n[:, [own]], table.mean[:, [own]], table.squares[:, [own]], table.before)
    surprise = surprises(whole, table, found[:, [own]])
    unlike = [len(stream.before) != len(streams[own].before) for stream in streams]  # which day is which is not known
    surprise[: table.before, unlike] = np.nan
    return surprise[table.before :], lasting_effects(adjusted(table, surprise), prior)


def _with_rows(stream: PairedStream) -> list[DaySums]:
    return [day for day in stream.before if day.n]


def _table(streams: Sequence[PairedStream], bets: Bets, at: Sequence[npt.NDArray[np.int_]], length: int) -> DayTable:
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
