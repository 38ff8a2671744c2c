"""Rows of the tables that each row of a day is added to.

Sums are taken over pairs of groupings at once (the cells of a=x & b=y) where the pair has few cells, and split into the
two groupings at the end: half the additions, in a table that still fits a level-1 cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.grouping import Grouping

Codes = npt.NDArray[np.signedinteger[Any]]
Table = npt.NDArray[np.signedinteger[Any]]
#: Cells of a pair of groupings that are summed together.
JOINED = 600


@dataclass(frozen=True)
class Coding:
    """groupings: of one day's rows."""

    groupings: Sequence[Grouping]

    @cached_property
    def size(self) -> int:
        """Slices, `overall` (row 0) included; the row after them takes what is in no slice."""
        return 1 + sum(len(g.names) for g in self.groupings)

    @cached_property
    def joints(self) -> list[tuple[int, ...]]:
        """Groupings that are summed together: two where that pays, else one."""
        out: list[tuple[int, ...]] = []
        width = [len(g.names) + 1 for g in self.groupings]
        i = 0
        while i < len(width):
            two = i + 1 < len(width) and width[i] * width[i + 1] <= JOINED
            out.append((i, i + 1) if two else (i,))
            i += len(out[-1])
        return out

    @cached_property
    def joint_size(self) -> int:
        return 1 + sum(self._cells(joint) for joint in self.joints)

    def _cells(self, joint: tuple[int, ...]) -> int:
        return int(np.prod([len(self.groupings[g].names) + 1 for g in joint]))

    def codes(self, start: int, size: int) -> Codes:
        """(G, size) rows of the table of slices."""
        out = np.empty((len(self.groupings), size), dtype=_kind(self.size))
        for row, table, found in zip(out, self._tables, self.groupings, strict=True):
            kernel.look_up(table, found.index[start : start + size], row)
        return out

    def joint_codes(self, start: int, size: int) -> Codes:
        """(J, size) rows of the table of joint cells."""
        out = np.empty((len(self.joints), size), dtype=_kind(self.joint_size))
        for row, joint, tables in zip(out, self.joints, self._joint_tables, strict=True):
            index = [self.groupings[g].index[start : start + size] for g in joint]
            if len(joint) == 1:
                kernel.look_up(tables[0], index[0], row)
            else:
                kernel.look_up_two(tables[0], index[0], tables[1], index[1], row)
        return out

    def split(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(P, joint_size, 8) sums of joint cells -> (P, size, 8) sums of slices."""
        out = [sums[:, :1]]
        start = 1
        for joint in self.joints:
            shape = [len(self.groupings[g].names) + 1 for g in joint]
            part = sums[:, start : start + self._cells(joint)].reshape(len(sums), *shape, -1)
            start += self._cells(joint)
            for axis in range(len(joint)):
                own = part if len(joint) == 1 else part.sum(axis=2 - axis)
                out.append(own[:, :-1])
        return np.concatenate(out, axis=1)

    @cached_property
    def _tables(self) -> list[Table]:
        first, out = 1, []
        for found in self.groupings:
            out.append(np.where(found.table < 0, self.size, found.table + first).astype(_kind(self.size)))
            first += len(found.names)
        return out

    @cached_property
    def _joint_tables(self) -> list[list[Table]]:
        return list(self._joined())

    def _joined(self) -> Iterator[list[Table]]:
        first = 1
        for joint in self.joints:
            own = [self.groupings[g] for g in joint]
            local = [np.where(g.table < 0, len(g.names), g.table) for g in own]
            if len(own) == 2:
                local[0] = local[0] * (len(own[1].names) + 1)
            local[0] = local[0] + first
            first += self._cells(joint)
            yield [table.astype(_kind(self.joint_size)) for table in local]


def _kind(size: int) -> Any:
    return np.int16 if size < 2**15 else np.int32
