"""Cells: the additive statistics of a model by day and slice. A window is a sum of cells.

Everything a metric needs of the rows is a sum over them, so that a new day costs one scan of that day, a window costs
no scan at all, and the spread between days is there for honest intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.day_tables import DayTables

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: The constant term: its sum is the weight of the labelled rows.
ONE = "one"
#: A term that is the same for every model (where it is a number: the label).
LABEL = "label"


class Formula(StrEnum):
    """Terms of a binary label y (0 or 1) and a probability p in [0, 1] that the scan of a day computes by itself, for
    all of them in one compiled pass."""

    LABEL = "y"
    ERROR = "p - y"
    SQUARE = "(p - y)^2"
    #: p cut to [eps, 1 - eps] of float64.
    SURPRISE = "-log(p if y else 1 - p)"


@dataclass(frozen=True)
class Carried:
    """What cells must hold for a metric. terms: names of per-row terms (`Metric.terms` computes them); products: pairs
    of term names whose product is summed with squared weights, for the variance of independent rows; counts: the table
    of labelled rows by label class and score bin; thresholds: scores that must be edges of the bins; formulas: terms
    that are, for binary labels, one of the formulas: `Metric.terms` is not asked for them there."""

    terms: tuple[str, ...] = ()
    products: tuple[tuple[str, str], ...] = ()
    counts: bool = False
    thresholds: tuple[float, ...] = ()
    formulas: Mapping[str, Formula] = field(default_factory=dict)


class _Remembering:
    """Keeps what is computed from the fields apart from them: copies with other fields start without it."""

    __slots__ = ("_tables",)
    _tables: DayTables

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Cells(_Remembering):
    """One model on S slices over D days; or, for a pair of models, the terms' differences (candidate - champion).

    slices: S names. day: (D,) UTC day numbers. n, n_labelled: (D, S) rows, and rows with a label.
    counts: (D, S, L, B) sum of weights of the labelled rows by label class and score bin; binary: L = 2 and B score
    bins in ascending order; multiclass: L = B = number of classes, [true, predicted]; None where not carried.
    center: (B,) the score that stands for each bin; edge: (B - 1,) score from which on a row is in the next bin;
    both None unless binary.
    sums: term -> (D, S) sum of w t; `one` is always there. products: (t, u) -> (D, S) sum of w^2 t u.
    """

    slices: tuple[str, ...]
    day: Ints
    n: Ints
    n_labelled: Ints
    counts: npt.NDArray[np.generic] | None = None
    center: Floats | None = None
    edge: Floats | None = None
    sums: Mapping[str, Floats] = field(default_factory=dict)
    products: Mapping[tuple[str, str], Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def tables(self) -> DayTables | None:
        """The counts, with the sums of them that several metrics need."""
        if self.counts is None:
            return None
        if not hasattr(self, "_tables"):
            object.__setattr__(self, "_tables", DayTables(self.counts))
        return self._tables

    def of_day(self, position: int) -> Cells:
        """The cells of one of the D days."""
        at = slice(position, position + 1)
        return replace(
            self,
            day=self.day[at],
            n=self.n[at],
            n_labelled=self.n_labelled[at],
            counts=None if self.counts is None else self.counts[at],
            sums={name: value[at] for name, value in self.sums.items()},
            products={pair: value[at] for pair, value in self.products.items()},
        )
