"""Deployments without a fault, as the detector of data faults reads them: cuts renewed at each look, like the flow.

Values are normal with a mean that moves by day shocks, a week and a season; they are drawn on a fine grid, and each
daily look takes its cuts from the first half of its own history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from continual.core.stats.jump_counts import QUANTILES, SPECIAL
from continual.detectors.base import ColumnDays
from continual.detectors.jump import AGAIN, RECENT, JumpDetector

Floats = np.ndarray
#: The fine grid, in standard deviations of a day's values.
EDGES = np.arange(-5, 6.001, 0.125)
LABELS = (*(f"below {i}" for i in range(len(QUANTILES))), *SPECIAL)


@dataclass(frozen=True)
class World:
    """Each a number, or one per column: sd of the day's shock (a third of it more for each slice), amplitudes of week
    and season, all in sd of a day's values. phase: day of the year on which the history starts, None = any."""

    name: str
    shock: Floats | float
    week: Floats | float
    season: Floats | float
    phase: float | None = None


@dataclass(frozen=True)
class Drawn:
    """below: (days, columns, slices, grid) rows up to each edge of the grid, missing: (..., 1); all rows first."""

    below: Floats
    missing: Floats


def draw(rng: np.random.Generator, days: int, columns: int, sizes: tuple[int, ...], world: World) -> Drawn:
    """Independent columns; `sizes` rows a day in each slice, slices apart by a fifth of a standard deviation each."""
    shape, time = (days, columns), np.arange(days)[:, None]
    phase = rng.uniform(0, 365, columns) if world.phase is None else world.phase
    common = rng.normal(0, 1, shape) * world.shock + world.week * np.sin(2 * np.pi * time / 7)
    common += world.season * np.sin(2 * np.pi * (time + phase) / 365)
    below, missing = [], []
    for number, n in enumerate(sizes):
        shift = common + rng.normal(0, 1, shape) * world.shock / 3 + 0.2 * (number % 6)
        inside = norm.cdf(EDGES - shift[..., None])
        ends = [0 * inside[..., :1], inside, 1 + 0 * inside[..., :1]]
        empty = rng.binomial(n, np.clip(0.02 + rng.normal(0, 0.03, shape) * world.shock, 0.0, 0.2))
        found = rng.multinomial(n - empty, np.diff(np.concatenate(ends, axis=-1), axis=-1))
        below.append(np.cumsum(found, axis=-1).astype(np.float32))
        missing.append(empty.astype(float))
    return Drawn(_with_all(np.stack(below, axis=-2)), _with_all(np.stack(missing, axis=-1)[..., None]))


def _with_all(parts: Floats) -> Floats:
    return np.concatenate([parts.sum(axis=-2, keepdims=True), parts], axis=-2)


def column(below: Floats, missing: Floats) -> ColumnDays:
    """Counts between cuts at the quantiles of the first half of these days, as `number_counts` makes them."""
    past = below[: len(below) // 2, :, 0].sum(axis=0)
    cuts = np.stack([np.argmax(past >= q * past[:, -1:], axis=-1) for q in QUANTILES], axis=-1)
    cuts = np.minimum(cuts, len(EDGES) - 1)
    present = below[..., -1:].astype(float)
    room = (cuts[:, -1:] - cuts[:, :1]) // 2
    low, high = cuts[:, :1] - room, np.minimum(cuts[:, -1:] + room, len(EDGES) - 1)
    far = np.where((low >= 0)[:, None], _at(below, np.maximum(low, 0)), 0.0) + present - _at(below, high)
    counts = np.concatenate([_at(below, cuts), missing, np.minimum(present, 1), far], axis=-1)
    totals = np.broadcast_to(present, counts.shape).copy()
    totals[..., len(QUANTILES)] = present[..., 0] + missing[..., 0]
    return ColumnDays("x", "input", LABELS, counts, totals)


def _at(below: Floats, cuts: Floats) -> Floats:
    index = np.broadcast_to(cuts[None, :, None, :], (*below.shape[:3], cuts.shape[-1]))
    return np.take_along_axis(below, index, axis=-1).astype(float)


def alarmed(detector: JumpDetector, drawn: Drawn, looks: int) -> Floats:
    """(columns,) whether any daily look finds a fault that is active. A weak jump counts with one of the same quantile
    on an earlier day, also if its cut has moved a little since."""
    days, columns, slices = drawn.below.shape[:3]
    length, weekday = detector.history_days, np.arange(days) % 7
    clean = np.ones((days, columns, slices), bool)
    weak, out = np.zeros((days, columns, slices, len(LABELS)), bool), np.zeros(columns, bool)
    for day in range(length, days):
        seen = slice(day - length + 1, day + 1)
        found = column(drawn.below[seen], drawn.missing[seen])
        look = detector.look(found, weekday[seen], length - 1, clean[seen], looks)
        weak[day] = look.weak
        again = look.weak & (weak[day - RECENT + 1 : day + 1].sum(axis=0) >= AGAIN)
        hit = ((look.size >= 1) | again).any(axis=-1)
        clean[day] = ~hit
        out |= hit.any(axis=-1)
    return out
