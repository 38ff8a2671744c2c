"""The tables that a day's rows are added to: one set per model version or pair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.block import Block, Part
from continual.cells.coding import Codes, Coding
from continual.cells.plan import Plan
from continual.core.cells import ONE

Floats = npt.NDArray[np.float64]
#: A column of sums: (left term, right term, power of the weight); -1 = the constant 1, -2 = unused.
Column = tuple[int, int, int]
UNUSED: Column = (-2, -2, 0)


@dataclass(frozen=True)
class Chunk:
    """Rows that have a label and a score. codes: (G, m), joint: (J, m): see Coding; terms: (T, m); cell: (m,) label x
    bin, None where nothing is counted; weight: (m,), None = all 1."""

    codes: Codes
    joint: Codes
    terms: Floats
    cell: npt.NDArray[np.unsignedinteger[Any]] | None
    weight: Floats | None


@dataclass
class Tables:
    """Sums over chunks of a day's rows."""

    plan: Plan
    coding: Coding
    weighted: bool
    counted: bool
    labelled: npt.NDArray[np.int64] = field(init=False)
    unscored: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.coding.size
        self.labelled = np.zeros(self.size + 1, dtype=np.int64)
        self.unscored = np.zeros(self.size + 1, dtype=np.int64)
        self._columns = _columns(self.plan, self.weighted)
        used = [*dict.fromkeys(column for column in self._columns.values() if column is not None)]
        self._at = {column: divmod(i, kernel.PANEL) for i, column in enumerate(used)}
        panels = -(-len(used) // kernel.PANEL)
        used += [UNUSED] * (panels * kernel.PANEL - len(used))
        self._program = np.array(used, dtype=np.int64).reshape(panels, kernel.PANEL, 3)
        self._sums = kernel.aligned(panels, self.coding.joint_size, kernel.PANEL)
        self._panel = kernel.aligned(256, kernel.PANEL)
        levels, bins = self.plan.shape or (0, 0)
        shape = (self.size + 1, levels * bins) if self.counted else (0, 0)
        self._counts = np.zeros(shape, dtype=np.float64) if self.weighted else None
        self._recent = np.zeros((0, 0) if self.weighted else shape, dtype=np.uint16)

    def add(self, chunk: Chunk) -> None:
        if self.counted and chunk.cell is not None:
            self._count(chunk.codes, chunk.cell, chunk.weight)
        if len(self._program):
            weight = np.ones(1) if chunk.weight is None else chunk.weight
            kernel.sum_terms(chunk.joint, chunk.terms, self._program, weight, self._panel, self._sums)

    def _count(self, codes: Codes, cell: npt.NDArray[np.unsignedinteger[Any]], weight: Floats | None) -> None:
        """Whole numbers go to a table of 16 bits, half the cache, until a cell might not fit: none has more rows than
        the same cell of `overall`."""
        if weight is not None:
            kernel.weigh_cells(codes, cell, weight, self._counts)
            return
        if int(self._recent[0].max(initial=0)) + len(cell) > np.iinfo(np.uint16).max:
            self._flush()
        kernel.count_cells(codes, cell, self._recent)

    def _flush(self) -> None:
        if self._counts is None:
            self._counts = self._recent.astype(np.uint32)
        else:
            self._counts += self._recent
        self._recent[:] = 0

    def _counted(self) -> npt.NDArray[Any]:
        if self._counts is None:
            return self._recent
        if not self.weighted:
            self._flush()
        return self._counts

    def block(self, day: int, parts: tuple[Part, ...], n: npt.NDArray[np.int64]) -> Block:
        """n: (S,) rows with and without label."""
        self._slices = self.coding.split(self._sums)
        sums = {name: self._sum((name, None)) for name in (ONE, *self.plan.carried.terms)}
        products = {pair: self._sum(pair) for pair in self.plan.carried.products}
        counts = self._counted()[:-1].reshape(self.size, *(self.plan.shape or (0, 0))) if self.counted else None
        binned = self.counted and self.plan.task.value == "binary"
        return Block(
            day=day,
            parts=parts,
            n=n,
            n_labelled=self.labelled[:-1],
            n_unscored=self.unscored[:-1],
            counts=counts,
            bins=self.plan.bins.as_dict() if binned else None,
            sums=sums,
            products=products,
        )

    def _sum(self, key: tuple[str, str | None]) -> Floats:
        column = self._columns[key]
        if column is None:
            return self.labelled[:-1].astype(np.float64)
        panel, k = self._at[column]
        out: Floats = self._slices[panel, :, k].copy()
        return out


def _columns(plan: Plan, weighted: bool) -> dict[tuple[str, str | None], Column | None]:
    """The column that holds each term (t, None) and each product (t, u); None: the number of rows.

    Without weights a product with the constant is the term itself, and the sum of the constant a number of rows.
    """
    index = {name: i for i, name in enumerate(plan.carried.terms)} | {ONE: -1}
    out: dict[tuple[str, str | None], Column | None] = {}
    for name in (ONE, *plan.carried.terms):
        out[name, None] = (index[name], -1, int(weighted))
    for t, u in plan.carried.products:
        left, right = max(index[t], index[u]), min(index[t], index[u])
        out[t, u] = (left, right, 2 if weighted else 0)
    if not weighted:
        out = {key: None if column == (-1, -1, 0) else column for key, column in out.items()}
    return out
