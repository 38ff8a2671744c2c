"""Counts of labelled rows by slice, label and score bin: whole numbers as small as they can be, or sums of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.coding import Codes, Coding
from continual.cells.counts import Counts, smallest

Cells = npt.NDArray[np.unsignedinteger[Any]]
Floats = npt.NDArray[np.float64]


class Counting:
    """The table (S, C) of one version, grown by stretches of rows.

    A stretch is counted grouping by grouping in a table that is cleared and used again: it stays in a level-1 cache (of
    20 slices) or level-2 cache (of 500), and what is kept are the bytes that the numbers need.
    """

    def __init__(self, coding: Coding, size: int) -> None:
        """size: C, cells of a slice; a row that is not counted has the cell C."""
        self.coding, self.size = coding, size
        self.overall: npt.NDArray[Any] = np.zeros(size, dtype=np.uint8)
        self.slices: list[npt.NDArray[Any]] = [np.zeros((len(o), size), dtype=np.uint8) for o in coding.order]
        self._empty = True

    def add(self, codes: Codes, cell: Cells, weight: Floats | None) -> None:
        """codes: (G, m); cell: (m,); weight: (m,), None = all 1."""
        first = self._tally(np.zeros(len(cell), dtype=codes.dtype), cell, weight, 1, np.uint32)[0]
        kind = np.uint16 if first.max(initial=0) < 2**16 else np.uint32  # no slice has more than all rows
        each = zip(codes, self.coding.width, self.coding.order, strict=True)
        found = [self._tally(row, cell, weight, width, kind)[order] for row, width, order in each]
        self.overall = self._sum(self.overall, first)
        self.slices = [self._sum(a, b) for a, b in zip(self.slices, found, strict=True)]
        self._empty = False

    def _tally(self, row: Codes, cell: Cells, weight: Floats | None, width: int, kind: Any) -> npt.NDArray[Any]:
        out = np.zeros((width, self.size + 1), dtype=kind if weight is None else np.float64)
        if weight is None:
            kernel.count_cells(row, cell, out)
            return smallest(out[:, :-1])
        kernel.weigh_cells(row, cell, weight, out)
        return out[:, :-1]

    def _sum(self, old: npt.NDArray[Any], new: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._empty:
            return new
        return smallest(old.astype(np.float64 if new.dtype.kind == "f" else np.uint32) + new)

    def counts(self, shape: tuple[int, int]) -> Counts:
        """shape: (L, B)."""
        slices = np.concatenate(self.slices) if self.slices else np.zeros((0, self.size), dtype=np.uint8)
        return Counts(self.overall.reshape(shape), slices.reshape(-1, *shape))
