"""Cells of one day from its rows: one scan, whatever the number of slices, models and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.cells import sums
from continual.cells.block import Block, Part
from continual.cells.coding import Coding
from continual.cells.columns import Columns
from continual.cells.counting import Counting
from continual.cells.grouping import grouping
from continual.cells.plan import Plan, pair_name, pairs_of
from continual.cells.stretch import Mask, Stretch
from continual.cells.sums import Factors, Sums, layout_of
from continual.core.cells import ONE
from continual.metrics.base import Task

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: Rows that are counted at a time: codes and cells of a stretch are in memory.
STRETCH = 1 << 18


@dataclass(frozen=True)
class Day:
    """The rows of a day. versions: model version -> the columns of `table` with its answers (one; K for multiclass).

    label: column, null = not known (yet). weight: column of importance weights > 0, None = all 1.
    """

    day: int
    table: pa.Table
    versions: Mapping[str, Sequence[str]]
    label: str = "label"
    weight: str | None = None


def build_day(
    day: Day, plan: Plan, pairs: Sequence[tuple[str, str]] | None = None, count_rows: bool = True
) -> dict[str, Block]:
    """The block of each version and, as `a~b`, of each pair (a's terms minus b's); pairs: None = all.

    A row without a label counts in n only; one without a valid score of a version (null, not finite, for
    probabilities outside [0, 1]) in that version's n_unscored. count_rows = False: n and n_unscored stay 0, for labels
    that came late: the block of their rows is added to their day (`Block.plus`).

    Raises
    ------
    SliceError: a slice column is missing or of the wrong kind. BatchError: a label outside the classes, a weight
    that is not positive.
    """
    blocks = _Builder(day, plan, pairs_of(list(day.versions)) if pairs is None else pairs).build()
    return blocks if count_rows else {name: without_rows(block) for name, block in blocks.items()}


def without_rows(block: Block) -> Block:
    """The block with what its labels add only."""
    return replace(block, n=np.zeros_like(block.n), n_unscored=np.zeros_like(block.n))


class _Builder:
    def __init__(self, day: Day, plan: Plan, pairs: Sequence[tuple[str, str]]) -> None:
        self.day, self.plan = day, plan
        columns = Columns(day.table)
        self.groupings = [grouping(spec, columns) for spec in plan.specs]
        self.coding = Coding(self.groupings)
        self.pairs = {pair_name(*pair): pair for pair in pairs}
        #: Rows that no version answered, or that have no label.
        self.left_out = np.zeros(self.coding.size, dtype=np.int64)
        self.unscored = {name: np.zeros(self.coding.size, dtype=np.int64) for name in (*day.versions, *self.pairs)}
        levels, bins = plan.shape or (0, 0)
        self.counting = {v: Counting(self.coding, levels * bins) for v in day.versions if plan.shape}
        self.sums: dict[bool, Sums] = {}
        self._known: dict[bytes, Floats] = {}

    def build(self) -> dict[str, Block]:
        for start in range(0, self.day.table.num_rows, STRETCH):
            self._stretch(start, min(STRETCH, self.day.table.num_rows - start))
        return {name: self._block(name) for name in self.unscored}

    def _stretch(self, start: int, size: int) -> None:
        day, (codes, joint) = self.day, self.coding.codes(start, size)
        rows = Stretch.read(self.plan, day.day, day.table.slice(start, size), day.versions, day.label, day.weight)
        for version, counting in self.counting.items():
            counting.add(codes, rows.cells(version), rows.weight)
        for version, fine in rows.fine.items():
            if not fine.all():
                self.unscored[version] += self.coding.count(np.compress(~fine, codes, axis=1))
        if rows.alike not in self.sums:
            layout = layout_of(self.plan, tuple(day.versions), self.pairs, day.weight is not None, rows.alike)
            self.sums[rows.alike] = Sums(layout, self.coding)
        kept: Mask = np.logical_or.reduce(list(rows.valid.values()))
        if not kept.all():
            self.left_out += self.coding.count(np.compress(~kept, codes, axis=1))
            rows, joint = rows.part(kept), np.compress(kept, joint, axis=1)
        for first in range(0, joint.shape[1], sums.CHUNK):
            self.sums[rows.alike].add(joint, first, rows.part(slice(first, first + sums.CHUNK)))

    def _block(self, name: str) -> Block:
        terms: list[Factors] = [(ONE,), *((term,) for term in self.plan.carried.terms)]
        counting, binned = self.counting.get(name), self.plan.task is Task.BINARY
        return Block(
            day=self.day.day,
            parts=tuple(Part(g.label, g.names, g.cut) for g in self.groupings),
            n=sum((one.n for one in self.sums.values()), self.left_out),
            n_labelled=self._labelled(name),
            n_unscored=self.unscored[name],
            counted=counting.counts(self.plan.shape or (0, 0)) if counting else None,
            bins=self.plan.bins.as_dict() if counting and binned else None,
            sums={term[0]: self._total(name, term) for term in terms},
            products={pair: self._total(name, pair) for pair in self.plan.carried.products},
        )

    def _labelled(self, owner: str) -> Ints:
        return sum((one.n_of(owner) for one in self.sums.values()), np.zeros_like(self.left_out))

    def _total(self, owner: str, factors: Factors) -> Floats:
        if self.day.weight is None and set(factors) == {ONE}:
            return self._numbers(self._labelled(owner))
        each = [one.of(owner, factors) for one in self.sums.values()]
        if len(each) == 1:
            return each[0]
        out: Floats = np.sum([np.zeros(self.coding.size), *each], axis=0)
        return out

    def _numbers(self, rows: Ints) -> Floats:
        """As floats; equal numbers are one array."""
        key = rows.tobytes()
        if key not in self._known:
            self._known[key] = rows.astype(np.float64)
        return self._known[key]
