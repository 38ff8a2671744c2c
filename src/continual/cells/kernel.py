"""The loops over rows, compiled: one pass per grouping, with tables that stay in the processor's caches.

The compiled code is kept on disk, so that the many short processes of a scheduler do not compile each time: in
NUMBA_CACHE_DIR, else beside this file, else in the user's cache; where none can be written each process compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import config

# off by default: without it the eight additions of `_add` are eight instructions instead of one
config.SLP_VECTORIZE = 1  # type: ignore[attr-defined]
F = TypeVar("F", bound=Callable[..., Any])
#: Columns of one table of sums: 8 float64 = one cache line, so that a row is added with two vector instructions.
PANEL = 8


def compiled(function: F) -> F:
    """The function as machine code."""
    try:
        return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # "cannot cache function: no locator available"
        return cast("F", numba.njit(nogil=True, error_model="numpy")(function))


@compiled
def bin_scores(score: Any, label: Any, table: Any, below: Any, extra: Any, n_bins: int, out: Any) -> None:
    """out[i] = label[i] * n_bins + bin of score[i]. See ScoreBins for table, below and extra.

    score, label: (n,) float64; table: uint16; out: (n,) unsigned.
    """
    n, last, top = len(score), len(table) - 1, n_bins - 1 - len(extra)
    small = np.empty(256, dtype=np.float64)
    bits = small.view(np.int64)
    # table[0] stands for 2^-k: the exponent field of 1/2 is 1022, and 64 entries make an octave
    origin = (1022 << 6) - last
    for start in range(0, n, 256):
        size = min(256, n - start)
        for i in range(size):
            p = score[start + i]
            small[i] = max(0.0, min(p, 1.0 - p))
        for i in range(size):
            p = score[start + i]
            found = np.int64(table[min(max((bits[i] >> 46) - origin, 0), last)])
            cell = found if p < 0.5 else top - found
            more = np.int64(below[cell])
            while more < len(extra) and p >= extra[more]:
                more += 1
            out[start + i] = np.int64(label[start + i]) * n_bins + cell + more


@compiled
def tally(index: Any, out: Any) -> None:
    """out[index[i]] += 1. index: (n,) non-negative."""
    for i in index:
        out[i] += 1


@compiled
def look_up(table: Any, index: Any, out: Any) -> None:
    """out[i] = table[index[i]]."""
    for i in range(len(index)):
        out[i] = table[index[i]]


@compiled
def look_up_two(first: Any, at: Any, second: Any, also: Any, out: Any) -> None:
    """out[i] = first[at[i]] + second[also[i]]."""
    for i in range(len(at)):
        out[i] = first[at[i]] + second[also[i]]


@compiled
def count_rows(codes: Any, out: Any) -> None:
    """out[codes[g, i]] += 1, and out[0] += n. codes: (G, n) > 0; out: (S + 1,) int64."""
    out[0] += codes.shape[1]
    for g in range(codes.shape[0]):
        for code in codes[g]:
            out[code] += 1


@compiled
def count_cells(codes: Any, cell: Any, out: Any) -> None:
    """out[codes[g, i], cell[i]] += 1, and out[0, cell[i]] += 1. codes: (G, n) > 0; cell: (n,); out: (S + 1, L * B)."""
    for c in cell:
        out[0, c] += 1
    groupings, n = len(codes), len(cell)
    for g in range(0, groupings - 1, 2):
        first, second = codes[g], codes[g + 1]
        for i in range(n):
            c = cell[i]
            out[first[i], c] += 1
            out[second[i], c] += 1
    if groupings % 2:
        row = codes[groupings - 1]
        for i in range(n):
            out[row[i], cell[i]] += 1


@compiled
def weigh_cells(codes: Any, cell: Any, weight: Any, out: Any) -> None:
    """out[codes[g, i], cell[i]] += weight[i]; as `count_cells`, out float64."""
    for i in range(len(cell)):
        out[0, cell[i]] += weight[i]
    for g in range(codes.shape[0]):
        row = codes[g]
        for i in range(len(cell)):
            out[row[i], cell[i]] += weight[i]


@compiled
def _fill(panel: Any, terms: Any, plan: Any, weight: Any, start: int, size: int) -> None:
    """panel[i, k] = weight^power * left * right for the columns (left, right, power) of `plan`; -1 = the constant 1."""
    for k in range(plan.shape[0]):
        left, right, power = plan[k, 0], plan[k, 1], plan[k, 2]
        if left < -1:
            continue
        if right >= 0:
            for i in range(size):
                panel[i, k] = terms[left, start + i] * terms[right, start + i]
        else:
            for i in range(size):
                panel[i, k] = terms[left, start + i] if left >= 0 else 1.0
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
def _add_one(codes: Any, panel: Any, start: int, size: int, out: Any) -> None:
    """out[codes[start + i]] += panel[i]."""
    for i in range(size):
        b0, b1, b2, b3 = panel[i, 0], panel[i, 1], panel[i, 2], panel[i, 3]
        b4, b5, b6, b7 = panel[i, 4], panel[i, 5], panel[i, 6], panel[i, 7]
        _add_row(out, codes[start + i], b0, b1, b2, b3, b4, b5, b6, b7)


@compiled
def _add_two(first: Any, second: Any, panel: Any, start: int, size: int, out: Any) -> None:
    """`_add_one` for two groupings: two chains of stores and loads that do not wait for each other (2.4x faster)."""
    for i in range(size):
        b0, b1, b2, b3 = panel[i, 0], panel[i, 1], panel[i, 2], panel[i, 3]
        b4, b5, b6, b7 = panel[i, 4], panel[i, 5], panel[i, 6], panel[i, 7]
        _add_row(out, first[start + i], b0, b1, b2, b3, b4, b5, b6, b7)
        _add_row(out, second[start + i], b0, b1, b2, b3, b4, b5, b6, b7)


@compiled
def _add_all(panel: Any, size: int, out: Any) -> None:
    """out[0] += the panel's column sums."""
    a0, a1, a2, a3, a4, a5, a6, a7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(size):
        a0, a1, a2, a3 = a0 + panel[i, 0], a1 + panel[i, 1], a2 + panel[i, 2], a3 + panel[i, 3]
        a4, a5, a6, a7 = a4 + panel[i, 4], a5 + panel[i, 5], a6 + panel[i, 6], a7 + panel[i, 7]
    _add_row(out, 0, a0, a1, a2, a3, a4, a5, a6, a7)


@compiled
def sum_terms(codes: Any, terms: Any, plan: Any, weight: Any, panel: Any, out: Any) -> None:
    """out[p, codes[g, i], k] += weight^power * left * right of column k of panel p; out[p, 0] over all rows.

    codes: (G, n) > 0; terms: (T, n) float64; plan: (P, 8, 3) int64 rows of (left, right, power), -1 = the constant 1,
    left -2 = unused (its sums mean nothing); weight: (n,) float64, unread where every power is 0; panel: (256, 8)
    scratch; out: (P, S + 1, 8) float64. Scratch and out should start on a cache line.
    """
    groupings, n = codes.shape
    for start in range(0, n, 256):
        size = min(256, n - start)
        for p in range(plan.shape[0]):
            _fill(panel, terms, plan[p], weight, start, size)
            _add_all(panel, size, out[p])
            for g in range(0, groupings - 1, 2):
                _add_two(codes[g], codes[g + 1], panel, start, size, out[p])
            if groupings % 2:
                _add_one(codes[groupings - 1], panel, start, size, out[p])


def aligned(*shape: int) -> Any:
    """Zeros of float64 that start on a cache line of 64 bytes."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 8)
    skip = (-raw.ctypes.data // 8) % 8
    return raw[skip : skip + size].reshape(shape)
