"""The compiled passes of `day_tables`. The slices are the outer loop: what belongs to one stays in a level-1 cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from continual.core.compiling import compiled


@compiled
def narrow(counts: Any, out: Any) -> int:
    """out = the lowest byte of counts. Returns a number below 256 only if that is all of them. counts: (N,) unsigned;
    out: (N,) uint8."""
    every = counts[0] * 0
    for i in range(len(counts)):
        out[i] = counts[i]
        every |= counts[i]
    return int(every)


@compiled
def totals(counts: Any, total: Any, weight: Any) -> None:
    """total[s, c] += sum over the days, weight[d, s] = sum over the cells. counts: (D, S, C)."""
    days, slices, cells = counts.shape
    for s in range(slices):
        for d in range(days):
            row, found = counts[d, s], 0.0
            for c in range(cells):
                total[s, c] += row[c]
                found += row[c]
            weight[d, s] = found


@compiled
def dot(counts: Any, slope: Any, out: Any) -> None:
    """out[d, s] = sum of counts[d, s] * slope[s]. counts: (D, S, C); slope: (S, C)."""
    days, slices, cells = counts.shape
    for s in range(slices):
        for d in range(days):
            row, found = counts[d, s], 0.0
            for c in range(cells):
                found += row[c] * slope[s, c]
            out[d, s] = found


@compiled
def dot_bytes(counts: Any, slope: Any, out: Any) -> None:
    """`dot` of uint8, in the way in which the processor turns eight of them into float64 at once."""
    days, slices, cells = counts.shape
    for s in range(slices):
        for d in range(days):
            row, found = counts[d, s], 0.0
            for c in range(cells):
                found += np.float64(np.int32(row[c])) * slope[s, c]
            out[d, s] = found


@compiled
def halve(counts: Any, at: int, out: Any) -> None:
    """out[d, r] = sums of counts[d, r] before `at` and from there on. counts: (D, R, B)."""
    days, rows, columns = counts.shape
    for d in range(days):
        for r in range(rows):
            row, below, above = counts[d, r], 0.0, 0.0
            for c in range(at):
                below += row[c]
            for c in range(at, columns):
                above += row[c]
            out[d, r, 0], out[d, r, 1] = below, above
