"""Which slice each row of a day is in: small whole numbers, one row of them per grouping.

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
        return int(np.prod([self.width[g] for g in joint]))

    def codes(self, start: int, size: int) -> Codes:
        """(G, size) row of its grouping's table."""
        out = np.empty((len(self.groupings), size), dtype=_kind(max(self.width, default=0)))
        for row, table, found in zip(out, self._tables, self.groupings, strict=True):
            kernel.look_up(table, found.index[start : start + size], row)
        return out

    def joint_codes(self, codes: Codes) -> Codes:
        """(J, m) rows of the table of joint cells; the first of them is `overall`."""
        out = np.empty((len(self.joints), codes.shape[1]), dtype=_kind(self.joint_size))
        first = 1
        for row, joint in zip(out, self.joints, strict=True):
            if len(joint) == 2:
                kernel.join(codes[joint[0]], codes[joint[1]], self.width[joint[1]], first, row)
            else:
                np.add(codes[joint[0]], first, out=row, casting="unsafe")
            first += self._cells(joint)
        return out

    def count(self, codes: Codes) -> Ints:
        """(S,) rows of each slice, `overall` first."""
        out = [np.array([codes.shape[1]])]
        for row, width in zip(codes, self.width, strict=True):
            found = np.zeros(width, dtype=np.int64)
            kernel.tally(row, found)
            out.append(found[:-1])
        return np.concatenate(out)

    def split(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(P, joint_size, 8) sums of joint cells -> (P, S, 8) sums of slices."""
        return np.concatenate([sums[:, :1], *self._split(sums)], axis=1)

    def _split(self, sums: npt.NDArray[np.float64]) -> Iterator[npt.NDArray[np.float64]]:
        start = 1
        for joint in self.joints:
            shape = [self.width[g] for g in joint]
            part = sums[:, start : start + self._cells(joint)].reshape(len(sums), *shape, -1)
            start += self._cells(joint)
            for axis in range(len(joint)):
                own = part if len(joint) == 1 else part.sum(axis=2 - axis)
                yield own[:, :-1]

    @cached_property
    def _tables(self) -> list[Codes]:
        kind = _kind(max(self.width, default=0))
        return [np.where(g.table < 0, len(g.names), g.table).astype(kind) for g in self.groupings]


def _kind(size: int) -> Any:
    return np.uint16 if size < 2**16 else np.uint32
