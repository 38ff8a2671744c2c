"""The loops over rows, compiled: one pass per grouping, with tables that stay in the processor's caches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

from continual.core.compiling import compiled

#: Columns of one table of sums: 8 float64 = one cache line, so that a row is added with two vector instructions.
PANEL = 8
#: Rows of the panel of columns that is added to one table after the other.
ROWS = 512
EPSILON = float(np.finfo(np.float64).eps)


@compiled
def bin_scores(score: Any, label: Any, table: Any, limit: Any, steps: int, out: Any) -> None:
    """out[i] = label[i] * len(limit) + bin of score[i]. See ScoreBins for table, limit and steps.

    score, label: (n,) float64; table: (2, T) uint16; out: (n,) unsigned.
    """
    n, last, n_bins = len(score), table.shape[1] - 1, len(limit)
    small = np.empty(ROWS, dtype=np.float64)
    bits, at = small.view(np.int64), np.empty(ROWS, dtype=np.uint32)
    flat = table.reshape(-1)
    # table[0, 0] stands for 2^-k: the exponent field of 1/2 is 1022, and 64 entries make an octave
    origin = (1022 << 6) - last
    for start in range(0, n, ROWS):
        size = min(ROWS, n - start)
        for i in range(size):
            p = score[start + i]
            small[i] = max(0.0, min(p, 1.0 - p))
        for i in range(size):
            half = 0 if score[start + i] < 0.5 else last + 1
            at[i] = min(max((bits[i] >> 46) - origin, 0), last) + half
        if steps == 1:
            for i in range(size):
                cell = np.uint32(flat[at[i]])
                cell += score[start + i] >= limit[cell]
                out[start + i] = np.uint32(label[start + i]) * np.uint32(n_bins) + cell
            continue
        for i in range(size):
            cell = np.uint32(flat[at[i]])
            for _ in range(steps):
                cell += score[start + i] >= limit[cell]
            out[start + i] = np.uint32(label[start + i]) * np.uint32(n_bins) + cell


@compiled
def tell(score: Any, label: Any, program: Any, out: Any) -> None:
    """out[row] = formula of label and score, by the rows (row, formula) of `program`: 0 the label y, 1 p - y,
    2 (p - y)^2, 3 the probability of the label, kept off 0. score, label: (n,); out: (rows, n or more)."""
    n = len(score)
    for k in range(len(program)):
        row, formula = out[program[k, 0]], program[k, 1]
        if formula == 0:
            for i in range(n):
                row[i] = label[i]
        elif formula == 1:
            for i in range(n):
                row[i] = score[i] - label[i]
        elif formula == 2:
            for i in range(n):
                row[i] = (score[i] - label[i]) * (score[i] - label[i])
        else:
            for i in range(n):
                p = min(max(score[i], EPSILON), 1.0 - EPSILON)
                row[i] = p if label[i] > 0.5 else 1.0 - p


@compiled
def subtract(program: Any, n: int, out: Any) -> None:
    """out[row] = out[a] - out[b], by the rows (row, a, b) of `program`. out: (rows, n or more)."""
    for k in range(len(program)):
        row, a, b = out[program[k, 0]], out[program[k, 1]], out[program[k, 2]]
        for i in range(n):
            row[i] = a[i] - b[i]


@compiled
def tally(index: Any, out: Any) -> None:
    """out[index[i]] += 1. index: (n,) non-negative."""
    odd = np.zeros_like(out)  # two tables: a number does not wait for the one before it to be stored
    for k in range(0, len(index) - 1, 2):
        out[index[k]] += 1
        odd[index[k + 1]] += 1
    if len(index) % 2:
        out[index[-1]] += 1
    out += odd


@compiled
def look_up(table: Any, index: Any, out: Any) -> None:
    """out[i] = table[index[i]]."""
    for i in range(len(index)):
        out[i] = table[index[i]]


@compiled
def look_up_one(table: Any, index: Any, first: int, out: Any, joint: Any, count: Any) -> None:
    """out[i] = table[index[i]] = c; joint[i] = first + c; count[c] += 1."""
    for i in range(len(index)):
        c = np.uint32(table[index[i]])
        out[i] = c
        joint[i] = np.uint32(first) + c
        count[c] += 1


@compiled
def look_up_two(table: Any, index: Any, other: Any, second: Any, first: int, out: Any, joint: Any, count: Any) -> None:
    """`look_up_one` of two groupings; out: (2, n); joint[i] = first + c, c the joint cell. count: (widths,)."""
    width = np.uint32(count.shape[1])
    flat = count.reshape(-1)
    for i in range(len(index)):
        a, b = np.uint32(table[index[i]]), np.uint32(other[second[i]])
        out[0, i], out[1, i] = a, b
        c = a * width + b
        joint[i] = np.uint32(first) + c
        flat[c] += 1


@compiled
def join(first: Any, second: Any, width: int, start: int, out: Any) -> None:
    """out[i] = start + first[i] * width + second[i]."""
    for i in range(len(out)):
        out[i] = start + first[i] * width + second[i]


@compiled
def split(joint: Any, start: int, first: int, second: int, out: Any, to: int) -> None:
    """Sums over either grouping of first x second joint cells, without the last row of each: out[:, to:] has those of
    the first grouping, then those of the second. second = 1: there is none. joint: (P, cells, K); out: (P, S, K)."""
    panels, _, columns = joint.shape
    other = to + first - 1
    for p in range(panels):
        for i in range(first):
            for j in range(second):
                row = joint[p, start + i * second + j]
                if i < first - 1:
                    for k in range(columns):
                        out[p, to + i, k] += row[k]
                if j < second - 1:
                    for k in range(columns):
                        out[p, other + j, k] += row[k]


@compiled
def count_cells(row: Any, cell: Any, out: Any) -> None:
    """out[row[i], cell[i]] += 1."""
    for i in range(len(cell)):
        out[row[i], cell[i]] += 1


@compiled
def weigh_cells(row: Any, cell: Any, weight: Any, out: Any) -> None:
    """out[row[i], cell[i]] += weight[i]."""
    for i in range(len(cell)):
        out[row[i], cell[i]] += weight[i]


@compiled
def _fill(panel: Any, terms: Any, plan: Any, weight: Any, start: int, size: int) -> None:
    """panel[i, k] = weight^power * left * right for the columns (left, right, power) of `plan`."""
    for k in range(plan.shape[0]):
        left, right, power = plan[k, 0], plan[k, 1], plan[k, 2]
        if left < 0:
            continue
        if right >= 0:
            for i in range(size):
                panel[i, k] = terms[left, start + i] * terms[right, start + i]
        else:
            for i in range(size):
                panel[i, k] = terms[left, start + i]
        for _ in range(power):
            for i in range(size):
                panel[i, k] *= weight[start + i]


def _row(out: Any, c: Any, b0: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any, b7: Any) -> None:
    """out[c] += b. All loads stand before the stores, so that they become vectors."""
    a0, a1, a2, a3 = out[c, 0], out[c, 1], out[c, 2], out[c, 3]
    a4, a5, a6, a7 = out[c, 4], out[c, 5], out[c, 6], out[c, 7]
    out[c, 0], out[c, 1], out[c, 2], out[c, 3] = a0 + b0, a1 + b1, a2 + b2, a3 + b3
    out[c, 4], out[c, 5], out[c, 6], out[c, 7] = a4 + b4, a5 + b5, a6 + b6, a7 + b7


_add_row = cast("Callable[..., None]", numba.njit(inline="always")(_row))


@compiled
def _add_one(codes: Any, panel: Any, at: int, size: int, out: Any) -> None:
    """out[codes[at + i]] += panel[i]."""
    for i in range(size):
        b0, b1, b2, b3 = panel[i, 0], panel[i, 1], panel[i, 2], panel[i, 3]
        b4, b5, b6, b7 = panel[i, 4], panel[i, 5], panel[i, 6], panel[i, 7]
        _add_row(out, codes[at + i], b0, b1, b2, b3, b4, b5, b6, b7)


@compiled
def _add_two(first: Any, second: Any, panel: Any, at: int, size: int, out: Any) -> None:
    """`_add_one` for two groupings: two chains of stores and loads that do not wait for each other (2.4x faster)."""
    for i in range(size):
        b0, b1, b2, b3 = panel[i, 0], panel[i, 1], panel[i, 2], panel[i, 3]
        b4, b5, b6, b7 = panel[i, 4], panel[i, 5], panel[i, 6], panel[i, 7]
        _add_row(out, first[at + i], b0, b1, b2, b3, b4, b5, b6, b7)
        _add_row(out, second[at + i], b0, b1, b2, b3, b4, b5, b6, b7)


@compiled
def _add_all(panel: Any, size: int, out: Any) -> None:
    """out[0] += the panel's column sums."""
    a0, a1, a2, a3, a4, a5, a6, a7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(size):
        a0, a1, a2, a3 = a0 + panel[i, 0], a1 + panel[i, 1], a2 + panel[i, 2], a3 + panel[i, 3]
        a4, a5, a6, a7 = a4 + panel[i, 4], a5 + panel[i, 5], a6 + panel[i, 6], a7 + panel[i, 7]
    _add_row(out, 0, a0, a1, a2, a3, a4, a5, a6, a7)


@compiled
def sum_terms(codes: Any, first: int, n: int, terms: Any, plan: Any, weight: Any, panel: Any, out: Any) -> None:
    """out[p, codes[g, first + i], k] += weight^power * left * right of column k of panel p; out[p, 0] over all rows.

    codes: (G, first + n or more) > 0; terms: (T, n or more) float64; plan: (P, 8, 3) int64 rows of (left, right,
    power), right < 0 = no second factor, left < 0 = unused (its sums mean nothing); weight: (n,) float64, unread where
    every power is 0; panel: (ROWS, 8) scratch; out: (P, S + 1, 8) float64. Scratch and out should start on a cache
    line.
    """
    groupings = len(codes)
    for start in range(0, n, ROWS):
        size = min(ROWS, n - start)
        for p in range(plan.shape[0]):
            _fill(panel, terms, plan[p], weight, start, size)
            _add_all(panel, size, out[p])
            for g in range(0, groupings - 1, 2):
                _add_two(codes[g], codes[g + 1], panel, first + start, size, out[p])
            if groupings % 2:
                _add_one(codes[groupings - 1], panel, first + start, size, out[p])


def aligned(*shape: int) -> Any:
    """Zeros of float64 that start on a cache line of 64 bytes."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 8)
    skip = (-raw.ctypes.data // 8) % 8
    return raw[skip : skip + size].reshape(shape)
