"""Counts that are mostly 0, in fewer bytes than a general compressor finds and in less time.

Of every eight counts a byte marks those that are not 0; these follow as half bytes of the number less 1, where 15 says
that the number is in the next of the bytes at the end. Counts of many small slices are 80% zeros and 10% ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.compiling import compiled

Bytes = npt.NDArray[np.uint8]
#: Share of zeros from which on this form is smaller and faster.
MOSTLY = 0.6


def is_sparse(counts: npt.NDArray[Any]) -> bool:
    """Whether counts are bytes and mostly 0."""
    return counts.dtype == np.uint8 and counts.size > 0 and bool(np.count_nonzero(counts) <= (1 - MOSTLY) * counts.size)


def pack(counts: Bytes) -> dict[str, Bytes]:
    """marks, halves and whole bytes of counts of any shape."""
    flat = np.ascontiguousarray(counts).reshape(-1)
    if flat.size % 8:
        flat = np.append(flat, np.zeros(-flat.size % 8, dtype=np.uint8))
    marks, kept = np.empty(flat.size // 8, np.uint8), np.empty(flat.size + 8, np.uint8)
    size = _keep(flat.view(np.uint64), flat, marks, kept)
    kept[size] = 1  # fills the last byte of halves
    halves = np.empty((size + 1) // 2, np.uint8)
    _halve(kept, halves)
    return {"marks": marks, "halves": halves, "large": kept[:size][kept[:size] > 15]}


def unpack(marks: Bytes, halves: Bytes, large: Bytes, shape: tuple[int, ...]) -> Bytes:
    """The counts again."""
    out = np.zeros(8 * len(marks), dtype=np.uint8)
    _unpack(marks, halves, large, out)
    return out[: int(np.prod(shape))].reshape(shape)


@compiled
def _keep(words: Any, counts: Any, marks: Any, kept: Any) -> int:
    """Marks of the counts, and those that are not 0; words: the counts, eight in one. Returns their number."""
    size = 0
    for i in range(len(words)):
        mark = 0
        if words[i] != 0:
            for j in range(8):  # without branches: every other one would be foreseen wrongly
                count = counts[8 * i + j]
                kept[size] = count
                size += count != 0
                mark |= (count != 0) << j
        marks[i] = mark
    return size


@compiled
def _halve(kept: Any, halves: Any) -> None:
    """Two numbers less 1, or 15, in a byte."""
    for i in range(len(halves)):
        low, high = np.uint8(kept[2 * i] - 1), np.uint8(kept[2 * i + 1] - 1)
        halves[i] = np.uint8(min(low, np.uint8(15))) | np.uint8(min(high, np.uint8(15)) << 4)


@compiled
def _unpack(marks: Any, halves: Any, large: Any, out: Any) -> None:
    kept, many = 0, 0
    for i in range(len(marks)):
        mark, at = marks[i], 8 * i
        while mark:
            if mark & 1:
                half = (halves[kept >> 1] >> (4 * (kept & 1))) & 15
                kept += 1
                if half == 15:
                    out[at] = large[many]
                    many += 1
                else:
                    out[at] = half + 1
            mark >>= 1
            at += 1
