"""How a column is distributed, by day: counts over fixed bins or values, with a count of missing; days add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Inner bins of a numeric column, so that shares are known at the reference's percentiles.
BINS = 100


@dataclass(frozen=True)
class Distribution:
    """One column over D days; the last column of every matrix is 'missing'.

    day: (D,) UTC day numbers, ascending. counts: (D, B + 1) sums of weights. square: (D, B + 1) sums of squared
    weights, for the noise. rows: (D,) rows, missing ones included. values: the B values of a categorical column.
    edges: (B - 1,) of a numeric one; a value from edges[i] on is in a later bin than one below it, the first and the
    last bin are open. total: (D, B + 1) numeric: sum of weight times value, in the column's unit.
    """

    day: Ints
    counts: Floats
    square: Floats
    rows: Ints
    values: tuple[str, ...] = ()
    edges: Floats | None = None
    total: Floats | None = None

    @property
    def numeric(self) -> bool:
        return self.edges is not None

    @property
    def n(self) -> int:
        """Rows, missing ones included."""
        return int(self.rows.sum())

    def __add__(self, other: Distribution) -> Distribution:
        """Rows of both; a day that both have is summed.

        Raises
        ------
        ValueError: one is numeric and the other categorical, or they were counted over different edges.
        """
        left, right = aligned(self, other)
        day, index = np.unique(np.concatenate([left.day, right.day]), return_inverse=True)

        def merged(a: Any, b: Any) -> Any:
            out = np.zeros((len(day), *a.shape[1:]), dtype=a.dtype)
            np.add.at(out, index, np.concatenate([a, b]))
            return out

        total = None if left.total is None or right.total is None else merged(left.total, right.total)
        counts, square = merged(left.counts, right.counts), merged(left.square, right.square)
        return replace(left, day=day, counts=counts, square=square, rows=merged(left.rows, right.rows), total=total)

    def on(self, days: npt.NDArray[np.bool_]) -> Distribution:
        """The days where the (D,) mask is true."""
        total = None if self.total is None else self.total[days]
        day, counts, square, rows = self.day[days], self.counts[days], self.square[days], self.rows[days]
        return replace(self, day=day, counts=counts, square=square, rows=rows, total=total)


def aligned(a: Distribution, b: Distribution) -> tuple[Distribution, Distribution]:
    """Both over the same bins; of categorical ones the union of the values, so that an unseen value counts.

    Raises
    ------
    ValueError: one is numeric and the other categorical, or they were counted over different edges.
    """
    if a.edges is None and b.edges is None:
        values = tuple(sorted({*a.values, *b.values}))
        return _over(a, values), _over(b, values)
    if a.edges is None or b.edges is None:
        raise ValueError("a numeric and a categorical column cannot be put together")
    if not np.array_equal(a.edges, b.edges):
        raise ValueError("numeric columns must be counted over the same edges; take those of the reference")
    return a, b


def _over(one: Distribution, values: tuple[str, ...]) -> Distribution:
    if one.values == values:
        return one
    place = {value: i for i, value in enumerate(values)}
    to = np.array([*(place[value] for value in one.values), len(values)])
    counts, square = (np.zeros((len(one.day), len(values) + 1)) for _ in range(2))
    counts[:, to], square[:, to] = one.counts, one.square
    return replace(one, values=values, counts=counts, square=square)


def quantile_edges(values: Floats, bins: int = BINS) -> Floats:
    """Edges of `bins` inner bins with equal shares of the finite `values`, shape (n,), and of the two open outer ones.

    A column of at most `bins` distinct values gets a bin each; of others a value that fills a whole bin gets its own.

    Raises
    ------
    ValueError: no value is finite.
    """
    finite = values[np.isfinite(values)].astype(float)
    if not len(finite):
        raise ValueError("edges need at least one finite value")
    edges = np.unique(finite)
    end = _after(edges[-1:])
    if len(edges) > bins:
        at = np.quantile(finite, np.arange(1, bins) / bins, method="inverted_cdf")
        often, times = np.unique(at, return_counts=True)
        edges = np.concatenate([edges[:1], often, _after(often[times > 1])])
    return np.unique(np.concatenate([edges, end]))


def _after(values: Floats) -> Floats:
    return np.asarray(np.nextafter(values, np.inf))


def of_numbers(values: Floats, edges: Floats, weight: Floats | None = None, day: Ints | None = None) -> Distribution:
    """A numeric column, shape (n,), over `edges` of the reference; NaN and infinite values are missing.

    weight: (n,) >= 0, none = 1 each. day: (n,) UTC day numbers, none = all of one day.
    """
    finite = np.isfinite(values)
    at = np.where(finite, np.searchsorted(edges, np.where(finite, values, 0.0), side="right"), len(edges) + 1)
    weight = np.ones(len(values)) if weight is None else weight
    sums = np.where(finite, values, 0.0) * weight
    made = _counted(at.astype(np.int64), len(edges) + 2, weight, day)
    total = _by_day(at, len(edges) + 2, sums, day)
    return replace(made, edges=np.asarray(edges, dtype=float), total=total)


def of_codes(codes: Ints, values: Sequence[Any], weight: Floats | None = None, day: Ints | None = None) -> Distribution:
    """A dictionary-encoded column: codes (n,) index `values`, -1 = missing; weight and day as in `of_numbers`.

    Raises
    ------
    ValueError: two values have the same text.
    """
    names = tuple(map(str, values))
    if len(set(names)) < len(names):
        raise ValueError("values of a categorical column must differ as text")
    at = np.where(codes < 0, len(names), codes).astype(np.int64)
    weight = np.ones(len(codes)) if weight is None else weight
    return replace(_counted(at, len(names) + 1, weight, day), values=names)


def of_values(values: npt.ArrayLike, weight: Floats | None = None, day: Ints | None = None) -> Distribution:
    """A categorical column, shape (n,), of any values with a text; None, NaN and NaT are missing."""
    import pandas as pd

    codes, found = pd.factorize(np.asarray(values, dtype=object))
    texts, same = np.unique([str(value) for value in found], return_inverse=True)
    merged = np.append(same, -1)[codes]  # code -1 takes the last
    return of_codes(merged.astype(np.int64), list(texts), weight, day)


def _counted(at: Ints, width: int, weight: Floats, day: Ints | None) -> Distribution:
    days = np.unique(day) if day is not None else np.zeros(min(len(at), 1), dtype=np.int64)
    rows = np.array([len(at)][: len(days)]) if day is None else np.unique(day, return_counts=True)[1]
    counts, square = _by_day(at, width, weight, day), _by_day(at, width, weight**2, day)
    return Distribution(days.astype(np.int64), counts, square, rows.astype(np.int64))


def _by_day(at: npt.NDArray[Any], width: int, weight: Floats, day: Ints | None) -> Floats:
    """(D, width) sums of `weight`."""
    if not len(at):
        return np.zeros((0, width))
    if day is None:
        return np.bincount(at, weight, width)[None, :].astype(float)
    days, index = np.unique(day, return_inverse=True)
    flat = np.bincount(index * width + at, weight, len(days) * width)
    return flat.reshape(len(days), width).astype(float)
