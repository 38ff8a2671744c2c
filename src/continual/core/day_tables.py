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
        from continual.core.day_loops import dot, dot_bytes

        each, first = [], 0
        flat_slope = np.ascontiguousarray(slope, dtype=np.float64).reshape(self.counts.shape[1], -1)
        for piece in self._pieces:
            out, last = np.empty(piece.shape[:2]), first + piece.shape[1]
            (dot_bytes if piece.dtype == np.uint8 else dot)(piece, flat_slope[first:last], out)
            each.append(out)
            first = last
        return np.concatenate(each, axis=1)

    def halved(self, at: int) -> DayTables:
        """(D, S, L, 2): the columns before `at`, and from `at` on, summed."""
        if at not in self._halves:
            from continual.core.day_loops import halve

            days, _, levels, columns = self.counts.shape
            each = []
            for piece in self._pieces:
                out = np.empty((days, piece.shape[1], levels, 2))
                halve(piece.reshape(days, -1, columns), at, out.reshape(days, -1, 2))
                each.append(out)
            self._halves[at] = DayTables(np.concatenate(each, axis=1))
        return self._halves[at]

    @cached_property
    def _pieces(self) -> list[npt.NDArray[Any]]:
        """(D, S', C) of the slices in turn. The first slice has all rows and wider numbers than the others, which then
        take half the memory: what a pass over them costs is reading them."""
        kind, (days, slices, levels, columns) = self.counts.dtype, self.counts.shape
        plain = kind.kind == "u" and kind.itemsize <= 4
        counts = np.ascontiguousarray(self.counts if plain else self.counts.astype(np.float64, copy=False))
        flat = counts.reshape(days, slices, levels * columns)
        if plain and kind.itemsize > 1 and slices > 1 and flat.size:
            from continual.core.day_loops import narrow

            small = np.empty((days, slices - 1, levels * columns), dtype=np.uint8)
            most = [narrow(day[1:].reshape(-1), out.reshape(-1)) for day, out in zip(flat, small, strict=True)]
            if max(most) < 256:
                return [np.ascontiguousarray(flat[:, :1]), small]
        return [flat]

    @cached_property
    def _sums(self) -> tuple[Floats, Floats]:
        from continual.core.day_loops import totals

        total, weight = [], []
        for piece in self._pieces:
            total.append(np.zeros(piece.shape[1:]))
            weight.append(np.empty(piece.shape[:2]))
            totals(piece, total[-1], weight[-1])
        return np.concatenate(total).reshape(self.counts.shape[1:]), np.concatenate(weight, axis=1)
