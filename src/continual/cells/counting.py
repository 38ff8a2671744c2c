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
Array = npt.NDArray[Any]


class Counting:
    """The table (S, C) of one version, grown by stretches of rows.

    A stretch is counted grouping by grouping in a table that is cleared and used again: it stays in a level-1 cache (of
    20 slices) or level-2 cache (of 500), and what is kept are the bytes that the numbers need.
    """

    def __init__(self, coding: Coding, size: int) -> None:
        """size: C, cells of a slice; a row that is not counted has the cell C."""
        self.coding, self.size = coding, size
        self.overall: Array = np.zeros((1, size), dtype=np.uint8)
        self.slices: Array = np.zeros((coding.size - 1, size), dtype=np.uint8)
        self._most = 0

    def add(self, codes: Codes, cell: Cells, weight: Floats | None) -> None:
        """codes: (G, m); cell: (m,); weight: (m,), None = all 1."""
        if weight is not None and self.slices.dtype.kind != "f":
            self.overall, self.slices = self.overall.astype(np.float64), self.slices.astype(np.float64)
        wide: Any = np.uint32 if weight is None else np.float64
        top = np.zeros((1, self.size + 1), dtype=wide)
        self._count(top, np.zeros(len(cell), dtype=codes.dtype), cell, weight)
        every = top[:, :-1]
        self.overall = smallest(self.overall.astype(np.uint64 if weight is None else wide) + every)
        # no slice has more than all rows
        kind: Any = np.uint16 if weight is None and every.max(initial=0) < 2**16 else wide
        scratch = np.empty((max(self.coding.width, default=0), self.size + 1), dtype=kind)
        first, before, most = 0, self._most, 0
        for row, width, order in zip(codes, self.coding.width, self.coding.order, strict=True):
            table = scratch[:width]
            table.fill(0)
            self._count(table, row, cell, weight)
            if weight is None:
                most = max(most, kernel.largest(table, order))
                self._widen(before + most)
            kernel.take(table, order, self.slices[first : first + len(order)])
            first += len(order)
        self._most = before + most

    def _count(self, table: Array, row: Codes, cell: Cells, weight: Floats | None) -> None:
        if weight is None:
            kernel.count_cells(row, cell, table)
        else:
            kernel.weigh_cells(row, cell, weight, table)

    def _widen(self, most: int) -> None:
        kind = np.min_scalar_type(most)
        if kind.itemsize > self.slices.itemsize:
            self.slices = self.slices.astype(kind)

    def counts(self, shape: tuple[int, int]) -> Counts:
        """shape: (L, B)."""
        return Counts(self.overall.reshape(shape), smallest(self.slices).reshape(-1, *shape))
