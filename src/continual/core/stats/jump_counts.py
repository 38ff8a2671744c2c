"""A column's rows per day, slice and part: quantiles or categories, missing, and the day's most frequent value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Cuts of a number at quantiles of the reference rows; the outermost see what was never there.
QUANTILES: Floats = np.r_[0.002, np.arange(1, 12) / 12, 0.998]
#: Categories counted one by one.
TOP = 10
#: A column with this share of its variance between days tells the day.
CALENDAR = 0.8
MISSING, FREQUENT, UNSEEN = "missing", "the day's most frequent value", "of a category not seen before"
OUTSIDE = "far outside the range seen before"
#: Shares that swing, or not, apart from the others of their column.
SPECIAL = (MISSING, FREQUENT, OUTSIDE)
#: A column whose most frequent value usually holds more of a day cannot freeze noticeably.
FLAT = 0.5


def kinds(parts: Sequence[str]) -> Ints:
    """(C,) 0 for the shares of a distribution, a number of its own for each special one."""
    return np.array([SPECIAL.index(part) + 1 if part in SPECIAL else 0 for part in parts], dtype=np.int64)


class Counts(NamedTuple):
    """parts: C names. counts, totals: (D, S, C)."""

    parts: tuple[str, ...]
    counts: Floats
    totals: Floats


def number_counts(values: Floats, day: Ints, days: int, masks: Bools, before: Bools) -> Counts:
    """values: (n,), NaN = missing. day: (n,) 0..days-1. masks: (S, n). before: (n,) reference rows, for the cuts."""
    known = np.isfinite(values)
    past = values[known & before]
    usual = len(past) > 0 and not _tells_the_day(values, known & before, day)
    cuts = np.unique(np.quantile(past, QUANTILES, method="nearest")) if usual else np.empty(0)
    bins = np.where(known, np.searchsorted(cuts, values, side="right"), len(cuts) + 1)
    cells = _cells(bins, day, days, masks, len(cuts) + 2)
    present = cells[:, :, :-1].sum(axis=2)
    frequent = _most_frequent(values, known, day, days, masks)
    if np.median(frequent[:, 0]) > FLAT * np.median(present[:, 0]):  # flags and calendars: always 'frozen'
        frequent = np.zeros(present.shape)
    outside = _cells(_outside(values, known, past if usual else past[:0]), day, days, masks, 2)[:, :, 1]
    below = np.cumsum(cells[:, :, : len(cuts)], axis=2)
    counts = np.concatenate([below, np.stack([cells[:, :, -1], frequent, outside], axis=2)], axis=2)
    totals = np.repeat(present[:, :, None], len(cuts) + 3, axis=2)
    totals[:, :, len(cuts)] = cells.sum(axis=2)
    return Counts((*(f"below {cut:.4g}" for cut in cuts), *SPECIAL), counts, totals)


def _outside(values: Floats, known: Bools, past: Floats) -> Ints:
    """1 where a value is further outside the reference rows' range than half its width: another unit, not weather."""
    if not len(past):
        return np.zeros(len(values), dtype=np.int64)
    low, high = np.quantile(past, [0.002, 0.998])
    room = (high - low) / 2
    far = known & ((values < low - room) | (values > high + room))
    return np.asarray(far, dtype=np.int64)


def _tells_the_day(values: Floats, known: Bools, day: Ints) -> bool:
    """Calendar columns (day of the week, of the year) have no usual distribution of a day: only 'missing' is counted.
    Share of the variance that is between days (eta squared, Fisher 1925)."""
    if not known.any():
        return False
    rows = np.bincount(day[known])
    sums = np.bincount(day[known], weights=values[known])
    centred = values[known] - values[known].mean()
    total = float(centred @ centred)
    between = float(np.sum(np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0) ** 2 * rows))
    return total > 0 and (between - rows.sum() * float(values[known].mean()) ** 2) / total > CALENDAR


def category_counts(values: npt.NDArray[Any], day: Ints, days: int, masks: Bools, before: Bools) -> Counts:
    """values: (n,) text, None = missing; other arguments as in `number_counts`."""
    known = np.array([v is not None for v in values], dtype=bool)
    texts = np.array([str(v) if k else "" for v, k in zip(values, known, strict=True)])
    names, codes = np.unique(texts, return_inverse=True)
    seen = np.bincount(codes[known & before], minlength=len(names))
    top = np.argsort(-seen, kind="stable")[:TOP]
    top = top[seen[top] > 0]
    part = np.where(seen > 0, len(top), len(top) + 1)  # other, unseen
    part[top] = np.arange(len(top))
    bins = np.where(known, part[codes], len(top) + 2)
    counts = _cells(bins, day, days, masks, len(top) + 3)
    totals = np.repeat(counts.sum(axis=2, keepdims=True), counts.shape[2], axis=2)
    return Counts((*(f"'{names[i]}'" for i in top), "of another category", UNSEEN, MISSING), counts, totals)


def _cells(bins: Ints, day: Ints, days: int, masks: Bools, width: int) -> Floats:
    code = day * width + bins
    found = [np.bincount(code[mask], minlength=days * width).reshape(days, width) for mask in masks]
    return np.stack(found, axis=1).astype(float)


def _most_frequent(values: Floats, known: Bools, day: Ints, days: int, masks: Bools) -> Floats:
    """(D, S) rows that hold the most frequent value of their day and slice: a frozen sensor holds one."""
    names, codes = np.unique(values[known], return_inverse=True)
    pair, index = np.unique(day[known] * max(len(names), 1) + codes, return_inverse=True)
    out = np.zeros((days, len(masks)))
    if not len(pair):
        return out
    of_day, first = np.unique(pair // max(len(names), 1), return_index=True)  # in order, so that a day's lie together
    for number, mask in enumerate(masks):
        out[of_day, number] = np.maximum.reduceat(np.bincount(index[mask[known]], minlength=len(pair)), first)
    return out
