"""The loops over rows, compiled: one pass per grouping, with tables that stay in the processor's caches."""

from __future__ import annotations

from typing import Any

import numpy as np

from continual.cells import vectors
from continual.core.compiling import compiled

#: Columns of one table of sums: 8 float64 = one cache line.
PANEL = vectors.WIDTH
#: Rows of the panel of columns that is added to one table after the other.
ROWS = 256
#: Rows that are looked at in one go where a look may be the last.
LOOK = 4096
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
def cross(first: Any, second: Any, width: int, out: Any) -> None:
    """out[i] = first[i] * width + second[i]."""
    times = np.uint32(width)
    for i in range(len(out)):
        out[i] = np.uint32(first[i]) * times + np.uint32(second[i])


@compiled
def cross_seen(first: Any, second: Any, width: int, most: int, out: Any, seen: Any) -> None:
    """`cross`, and which numbers came out. seen: (numbers,) bool; most: how many there can be: when all were seen
    nobody looks any more."""
    found, times = 0, np.uint32(width)
    for start in range(0, len(out), LOOK):
        a, b, to = first[start : start + LOOK], second[start : start + LOOK], out[start : start + LOOK]
        for i in range(len(to)):
            to[i] = np.uint32(a[i]) * times + np.uint32(b[i])
        if found == most:
            continue
        for i in range(len(to)):
            seen[to[i]] = True
        found = 0
        for k in range(len(seen)):
            found += seen[k]


@compiled
def first_wrong(label: Any, classes: int) -> int:
    """Position of the first number that is neither NaN nor one of 0, 1, ... classes - 1; -1: none."""
    for start in range(0, len(label), LOOK):
        part, wrong = label[start : start + LOOK], 0
        for i in range(len(part)):
            y = part[i]
            wrong += (y == y) & ((y < 0) | (y >= classes) | (y != np.floor(y)))  # noqa: PLR0124 - NaN
        if wrong:
            for i in range(len(part)):
                y = part[i]
                if y == y and (y < 0 or y >= classes or y != np.floor(y)):  # noqa: PLR0124 - NaN
                    return start + i
    return -1


@compiled
def split(joint: Any, start: int, first: Any, second: Any, out: Any) -> None:
    """Sums over either grouping of the joint cells of two. first, second: row of `out` for each value of a grouping,
    -1 = none. joint: (P, cells, K), those of the two begin at `start`; out: (P, S, K)."""
    panels, _, columns = joint.shape
    for p in range(panels):
        for i in range(len(first)):
            for j in range(len(second)):
                row = joint[p, start + i * len(second) + j]
                for to in (first[i], second[j]):
                    if to >= 0:
                        for k in range(columns):
                            out[p, to, k] += row[k]


@compiled
def count_bytes(row: Any, cell: Any, out: Any, wraps: Any) -> int:
    """out[row[i], cell[i]] += 1, modulo 256: a table of bytes stays in a cache where one of wider numbers does not.

    out: (rows, C) uint8 without a gap; wraps: (n // 256,) or more, the positions in out where 256 is missing. Returns
    how many there are.
    """
    flat, width, size = out.reshape(-1), np.uint32(out.shape[1]), 0
    for i in range(len(cell)):
        at = np.uint32(row[i]) * width + np.uint32(cell[i])
        flat[at] += 1
        if flat[at] == 0:
            wraps[size] = at
            size += 1
    return size


@compiled
def total(table: Any, out: Any) -> None:
    """out += the sum of the rows of a table, without its last column."""
    for i in range(len(table)):
        row = table[i, : len(out)]
        for k in range(len(out)):
            out[k] += row[k]


@compiled
def largest(table: Any, order: Any) -> int:
    """A number that none in some rows of a table is above, less than twice the largest; without its last column."""
    bits = np.uint64(0)
    for i in range(len(order)):
        row = table[order[i], : table.shape[1] - 1]
        for k in range(len(row)):
            bits |= np.uint64(row[k])
    return int(bits)


@compiled
def take(table: Any, order: Any, out: Any) -> None:
    """out[i] += table[order[i]], without its last column."""
    for i in range(len(order)):
        row, to = table[order[i]], out[i]
        for k in range(len(to)):
            to[k] += row[k]


@compiled
def put(table: Any, order: Any, out: Any) -> None:
    """out[i] = table[order[i]], without its last column."""
    for i in range(len(order)):
        row, to = table[order[i]], out[i]
        for k in range(len(to)):
            to[k] = row[k]


@compiled
def weigh_cells(row: Any, cell: Any, weight: Any, out: Any) -> None:
    """out[row[i], cell[i]] += weight[i]."""
    for i in range(len(cell)):
        out[row[i], cell[i]] += weight[i]


@compiled
def _fill(start: int, size: int, terms: Any, plan: Any, address: Any, panel: Any) -> None:
    """panel[i, k] = product of the rows plan[k] of terms, at start + i."""
    factors = plan.shape[1]
    for k in range(PANEL):
        for f in range(factors):
            address[k, f] = terms.ctypes.data + plan[k, f] * terms.strides[0] + 8 * start
    first, to = address.ctypes.data, panel.ctypes.data
    if factors == 2:
        for i in range(0, size, PANEL):
            vectors.turn_two(first, 8 * i, to + vectors.BYTES * i)
    else:
        for i in range(0, size, PANEL):
            vectors.turn_four(first, 8 * i, to + vectors.BYTES * i)


@compiled
def sum_terms(
    codes: Any, row: Any, first: int, n: int, terms: Any, plan: Any, address: Any, panel: Any, out: Any
) -> None:
    """out[p, row[g] + codes[g, first + i], k] += product of the rows plan[p, k] of terms, at i.

    codes: (G, first + n or more) unsigned; row: (G,); terms: (T, n rounded up to 8, or more) float64; plan: (P, 8, F)
    int64, F = 2 or 4; address: (8, F) int64 and panel: (ROWS, 8) float64 scratch; out: (P, rows, 8) float64, each row
    eight numbers without a gap. Without groupings all rows are added to out[:, 0].
    """
    read = panel.ctypes.data
    for start in range(0, n, ROWS):
        size = min(ROWS, n - start)
        for p in range(plan.shape[0]):
            _fill(start, size, terms, plan[p], address, panel)
            for g in range(len(codes)):
                where = codes[g, first + start : first + start + size]
                to = out.ctypes.data + p * out.strides[0] + vectors.BYTES * row[g]
                for i in range(size):
                    vectors.add(to + vectors.BYTES * np.intp(where[i]), read + vectors.BYTES * i)
            if len(codes) == 0:
                for i in range(size):
                    vectors.add(out.ctypes.data + p * out.strides[0], read + vectors.BYTES * i)


def aligned(*shape: int) -> Any:
    """Zeros of float64 that start on a cache line of 64 bytes."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 8)
    skip = (-raw.ctypes.data // 8) % 8
    return raw[skip : skip + size].reshape(shape)
