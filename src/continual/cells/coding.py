"""Which slice each row of a day is in: small whole numbers, one row of them per grouping.

Where a column has few values its dictionary's own codes are used, and tables over them are put in the order of the
slices at the end: no look-up per row. Sums are taken over pairs of groupings at once (the cells of a=x & b=y) where the
pair has few cells, and split into the two groupings at the end: half the additions, in a table that still fits a
level-1 cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.grouping import Grouping

#: Unsigned: compiled code then need not ask whether a position counts from the end.
Codes = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]
#: Cells of a pair of groupings that are summed together.
JOINED = 600
#: A dictionary's codes are used when it has at most so many times the values of the slices, and these few.
LOOSE, FEW = 2, 64


@dataclass(frozen=True)
class Coding:
    """groupings: of one day's rows. A table over a grouping has `width` rows, `order` says which are the slices'."""

    groupings: Sequence[Grouping]

    @cached_property
    def direct(self) -> list[bool]:
        """For each grouping whether the codes of its dictionary are used: few, and each slice is one of them."""
        return [_is_direct(grouping) for grouping in self.groupings]

    @cached_property
    def order(self) -> list[Ints]:
        """For each grouping the row of its table for each slice."""
        return [_order(g) if own else np.arange(len(g.names)) for g, own in self._each]

    @cached_property
    def width(self) -> list[int]:
        """Rows of each grouping's table."""
        return [len(g.table) if own else len(g.names) + 1 for g, own in self._each]

    @property
    def _each(self) -> Iterable[tuple[Grouping, bool]]:
        return zip(self.groupings, self.direct, strict=True)

    @cached_property
    def joints(self) -> list[tuple[int, ...]]:
        """Groupings that are summed together: two where that pays, else one."""
        out: list[tuple[int, ...]] = []
        i = 0
        while i < len(self.width):
            two = i + 1 < len(self.width) and self.width[i] * self.width[i + 1] <= JOINED
            out.append((i, i + 1) if two else (i,))
            i += len(out[-1])
        return out

    @cached_property
    def starts(self) -> Ints:
        """Row of the table of joint cells where each joint begins."""
        sizes = [prod(self.width[g] for g in joint) for joint in self.joints]
        return np.cumsum([0, *sizes[:-1]])[: len(sizes)]

    @cached_property
    def joint_size(self) -> int:
        return max(1, sum(prod(self.width[g] for g in joint) for joint in self.joints))

    @property
    def size(self) -> int:
        """S, with `overall`."""
        return 1 + sum(len(g.names) for g in self.groupings)

    def codes(self, start: int, size: int) -> tuple[Codes, Codes]:
        """(G, size) row of its grouping's table; (J, size) row of its joint's table."""
        out = np.empty((len(self.groupings), size), dtype=np.uint16)
        for row, (grouping, own) in zip(out, self._each, strict=True):
            index = grouping.index[start : start + size]
            if own:
                row[:] = index
            else:
                kernel.look_up(_table(grouping), index, row)
        if len(self.joints) == len(out):
            return out, out
        joint = np.empty((len(self.joints), size), dtype=np.uint16)
        for row, both in zip(joint, self.joints, strict=True):
            if len(both) == 2:
                kernel.cross(out[both[0]], out[both[1]], self.width[both[1]], row)
            else:
                row[:] = out[both[0]]
        return out, joint

    def count(self, codes: Codes) -> Ints:
        """(S,) rows of each slice, `overall` first; codes: (G, n)."""
        each = [np.array([codes.shape[1]], dtype=np.int64)]
        for row, width, order in zip(codes, self.width, self.order, strict=True):
            found = np.zeros(width, dtype=np.int64)
            kernel.tally(row, found)
            each.append(found[order])
        return np.concatenate(each)

    def split(self, sums: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(P, joint_size, K) sums of joint cells -> (P, S, K) sums of slices, `overall` first."""
        out = np.zeros((len(sums), self.size, sums.shape[2]), dtype=sums.dtype)
        cells = prod(self.width[g] for g in self.joints[0]) if self.joints else 1
        out[:, 0] = sums[:, :cells].sum(axis=1)  # every row is in one cell of each joint
        places = self._places
        for start, joint in zip(self.starts.tolist(), self.joints, strict=True):
            first = places[joint[0]]
            second = places[joint[1]] if len(joint) > 1 else np.full(1, -1)
            kernel.split(sums, start, first, second, out)
        return out

    @cached_property
    def _places(self) -> list[Ints]:
        """For each grouping the slice (from 1 on) of each row of its table, -1 = none."""
        out, first = [], 1
        for width, order in zip(self.width, self.order, strict=True):
            place = np.full(width, -1)
            place[order] = np.arange(first, first + len(order))
            out.append(place)
            first += len(order)
        return out


def _is_direct(grouping: Grouping) -> bool:
    few = len(grouping.table) <= max(LOOSE * len(grouping.names), FEW)
    return few and int(np.count_nonzero(grouping.table >= 0)) == len(grouping.names)


def _order(grouping: Grouping) -> Ints:
    out = np.empty(len(grouping.names), dtype=np.int64)
    inside = np.flatnonzero(grouping.table >= 0)
    out[grouping.table[inside]] = inside
    return out


def _table(grouping: Grouping) -> Codes:
    return np.where(grouping.table < 0, len(grouping.names), grouping.table).astype(np.uint16)
