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

    A stretch is counted grouping by grouping in a table of bytes that is cleared and used again: it stays in a level-1
    cache (of 20 slices) or level-2 cache (of 900). The few numbers that wrap are put right afterwards.
    """

    def __init__(self, coding: Coding, size: int) -> None:
        """size: C, cells of a slice; a row that is not counted has the cell C."""
        self.coding, self.size = coding, size
        self.overall: Array = np.zeros((1, size), dtype=np.uint8)
        self.slices: Array = np.zeros((coding.size - 1, size), dtype=np.uint8)
        self._empty = True

    def add(self, codes: Codes, cell: Cells, weight: Floats | None) -> None:
        """codes: (G, m); cell: (m,); weight: (m,), None = all 1."""
        if weight is not None and self.slices.dtype.kind != "f":
            self.overall, self.slices = self.overall.astype(np.float64), self.slices.astype(np.float64)
        before = 0 if self._empty or weight is not None else int(self.slices.max(initial=0))
        every = self.overall[0].astype(np.uint64 if weight is None else np.float64)
        if not len(codes):
            codes, width = np.zeros((1, len(cell)), dtype=np.uint16), [1]
        else:
            width = self.coding.width
        scratch = np.empty((max(width), self.size + 1), dtype=np.uint8 if weight is None else np.float64)
        at, smallest_width = np.cumsum([0, *map(len, self.coding.order)]), int(np.argmin(width))
        for g, row in enumerate(codes):
            table = _counted(row, cell, weight, scratch[: width[g]])
            if g == smallest_width:  # every row is in one row of each table
                kernel.total(table, every)
            if g < len(self.coding.order):
                self._take(table, self.coding.order[g], at[g], before)
        self.overall, self._empty = smallest(every[None]), False

    def _take(self, table: Array, order: npt.NDArray[np.int64], first: int, before: int) -> None:
        """before: no number of the slices was above it."""
        if table.dtype.kind == "u" and (before or table.itemsize > 1):
            kind = np.min_scalar_type(before + kernel.largest(table, order))
            if kind.itemsize > self.slices.itemsize:
                self.slices = self.slices.astype(kind)
        add = kernel.put if self._empty else kernel.take
        add(table, order, self.slices[first : first + len(order)])

    def counts(self, shape: tuple[int, int]) -> Counts:
        """shape: (L, B)."""
        return Counts(self.overall.reshape(shape), smallest(self.slices).reshape(-1, *shape))


def _counted(row: Codes, cell: Cells, weight: Floats | None, table: Array) -> Array:
    """(rows, C + 1); table: to count in."""
    table.fill(0)
    if weight is not None:
        kernel.weigh_cells(row, cell, weight, table)
        return table
    wraps = np.empty(len(cell) // 256, dtype=np.uint32)
    if n := kernel.count_bytes(row, cell, table, wraps):
        table = table.astype(np.uint32)
        np.add.at(table.reshape(-1), wraps[:n], 256)
    return table
