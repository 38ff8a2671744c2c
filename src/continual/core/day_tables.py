"""Tables of weights by day and slice, and the few passes over them that all metrics share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DayTables:
    """counts: (D, S, L, B) sums of weights by label class and column, whole numbers of any size or floats.

    A window has millions of these numbers and every metric reads them all: they stay in the type they have, and what
    several metrics need is summed once.
    """

    counts: npt.NDArray[Any]
    _halves: dict[int, DayTables] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def total(self) -> Floats:
        """(S, L, B) sum over the days."""
        return self._sums[0]

    @cached_property
    def weight(self) -> Floats:
        """(D, S) sum over the table."""
        return self._sums[1]

    def dot(self, slope: Floats) -> Floats:
        """(D, S) sum of counts * slope; slope: (S, L, B)."""
        from continual.core.day_loops import dot

        flat = self._flat
        out = np.empty(flat.shape[:2])
        dot(flat, np.ascontiguousarray(slope, dtype=np.float64).reshape(flat.shape[1:]), out)
        return out

    def halved(self, at: int) -> DayTables:
        """(D, S, L, 2): the columns before `at`, and from `at` on, summed."""
        if at not in self._halves:
            from continual.core.day_loops import halve

            days, slices, levels, columns = self.counts.shape
            out = np.empty((days, slices, levels, 2))
            halve(self._flat.reshape(days, slices * levels, columns), at, out.reshape(days, slices * levels, 2))
            self._halves[at] = DayTables(out)
        return self._halves[at]

    @cached_property
    def _flat(self) -> npt.NDArray[Any]:
        kind = self.counts.dtype
        counts = self.counts if kind.kind == "u" and kind.itemsize <= 4 else self.counts.astype(np.float64, copy=False)
        return np.ascontiguousarray(counts).reshape(*counts.shape[:2], counts.shape[2] * counts.shape[3])

    @cached_property
    def _sums(self) -> tuple[Floats, Floats]:
        from continual.core.day_loops import totals

        flat = self._flat
        total, weight = np.zeros(flat.shape[1:]), np.empty(flat.shape[:2])
        totals(flat, total, weight)
        return total.reshape(self.counts.shape[1:]), weight
