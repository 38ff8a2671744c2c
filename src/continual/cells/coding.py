"""Which slice each row of a day is in: small whole numbers, one row of them per grouping.

Sums are taken over pairs of groupings at once (the cells of a=x & b=y) where the pair has few cells, and split into the
two groupings at the end: half the additions, in a table that still fits a level-1 cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.grouping import Grouping

#: Unsigned: compiled code then need not ask whether a position counts from the end.
Codes = npt.NDArray[np.unsignedinteger[Any]]
Ints = npt.NDArray[np.int64]
#: Cells of a pair of groupings that are summed together.
JOINED = 600


@dataclass(frozen=True)
class Coding:
    """groupings: of one day's rows. Tables over a grouping have a row for each slice and a last one for the rest."""

    groupings: Sequence[Grouping]

    @cached_property
    def width(self) -> list[int]:
        """Rows of each grouping's table."""
        return [len(g.names) + 1 for g in self.groupings]

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
    def joint_size(self) -> int:
        return 1 + sum(self._cells(joint) for joint in self.joints)

    def _cells(self, joint: tuple[int, ...]) -> int:
        return prod(self.width[g] for g in joint)

    def codes(self, start: int, size: int) -> tuple[Codes, Codes, Ints]:
        """(G, size) row of its grouping's table; (J, size) row of the table of joint cells, whose first is `overall`;
        (S,) rows of each slice."""
        out = np.empty((len(self.groupings), size), dtype=_kind(max(self.width, default=0)))
        joint = np.empty((len(self.joints), size), dtype=_kind(self.joint_size))
        count, first = np.zeros(self.joint_size, dtype=np.int64), 1
        count[0] = size
        for row, own in zip(joint, self.joints, strict=True):
            here = count[first : first + self._cells(own)]
            index = [self.groupings[g].index[start : start + size] for g in own]
            if len(own) == 2:
                i, j = own
                table, other, shape = self._tables[i], self._tables[j], (self.width[i], self.width[j])
                kernel.look_up_two(table, index[0], other, index[1], first, out[i : j + 1], row, here.reshape(shape))
            else:
                kernel.look_up_one(self._tables[own[0]], index[0], first, out[own[0]], row, here)
            first += len(here)
        return out, joint, self._slices(count)

    def count(self, joint: Codes) -> Ints:
        """(S,) rows of each slice, `overall` first."""
        found = np.zeros(self.joint_size, dtype=np.int64)
        found[0] = joint.shape[1]
        for row in joint:
            kernel.tally(row, found)
        return self._slices(found)

    def _slices(self, count: Ints) -> Ints:
        return self.split(count.reshape(1, -1, 1))[0, :, 0]

    def split(self, sums: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(P, joint_size, K) sums of joint cells -> (P, S, K) sums of slices."""
        out = np.zeros((len(sums), 1 + sum(self.width) - len(self.width), sums.shape[2]), dtype=sums.dtype)
        out[:, 0] = sums[:, 0]
        start, to = 1, 1
        for joint in self.joints:
            first, second = self.width[joint[0]], self.width[joint[1]] if len(joint) > 1 else 1
            kernel.split(sums, start, first, second, out, to)
            start, to = start + first * second, to + first + second - 2
        return out

    @cached_property
    def _tables(self) -> list[Codes]:
        kind = _kind(max(self.width, default=0))
        return [np.where(g.table < 0, len(g.names), g.table).astype(kind) for g in self.groupings]


def _kind(size: int) -> Any:
    return np.uint16 if size < 2**16 else np.uint32
