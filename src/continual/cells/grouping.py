"""Groupings: each slice specification cuts the rows into disjoint slices, found by one table look-up per row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.columns import Columns, Index, Key, Values, nameable
from continual.core import expression, slice_values
from continual.core.slice_values import AND, text
from continual.core.slices import SliceSpec

#: Values of a grouping that get cells of their own on a day, most frequent first; the others are in `overall` only.
KEPT = 1000
#: A predicate over dictionary columns is tried on all combinations of their values, when they are no more than this.
COMBINATIONS = 4096
#: Crosses with more possible combinations than this are counted by sorting.
DENSE = 1 << 22


@dataclass(frozen=True)
class Grouping:
    """A partition of the rows (but for those in no slice).

    label: of its specification. names: of its slices. index: (n,); table: index -> position in `names`, -1 = in no
    slice. cut: more than KEPT values, the rarest have no cells.
    """

    label: str
    names: tuple[str, ...]
    index: npt.NDArray[np.integer]
    table: npt.NDArray[np.int32]
    cut: bool = False

    @property
    def codes(self) -> npt.NDArray[np.int32]:
        """(n,) position in `names`, -1 = in no slice."""
        codes: npt.NDArray[np.int32] = self.table[self.index]
        return codes


def grouping(spec: SliceSpec, columns: Columns) -> Grouping:
    """The partition a specification makes of a day's rows.

    Raises
    ------
    SliceError: a column is missing, or the predicate compares text with numbers.
    """
    if spec.where is not None:
        return _by_predicate(spec, columns)
    if spec.cross is not None:
        return _by_cross(spec, columns)
    return _by_edges(spec, columns) if spec.bins is not None else _by_values(spec, columns)


def _by_values(spec: SliceSpec, columns: Columns) -> Grouping:
    column = str(spec.by)
    found = columns.encoded(column)
    return _most_frequent(spec.label, found.index, found.size, _value_names(column, found.key))


def _by_cross(spec: SliceSpec, columns: Columns) -> Grouping:
    first, second = spec.cross or ("", "")
    a, b = columns.encoded(first), columns.encoded(second)
    size = a.size * b.size
    if size > DENSE:
        present, index = np.unique(a.index.astype(np.int64) * b.size + b.index, return_inverse=True)
        size, at = len(present), np.arange(len(present))
        names = _cross_names((first, *a.key), (second, *b.key), present.tobytes(), at.tobytes())
        return _most_frequent(spec.label, index.astype(np.int32), size, names)
    index = np.empty(len(a.index), dtype=np.uint16 if size < 1 << 16 else np.int32)
    seen = np.zeros(size, dtype=np.bool_)
    kernel.cross_seen(a.index, b.index, b.size, a.present * b.present, index, seen)
    present = np.flatnonzero(seen).tobytes()
    return _most_frequent(spec.label, index, size, _cross_names((first, *a.key), (second, *b.key), present, present))


#: Slices in the order of their names, and the code of each. Days mostly have the same values, so they are kept.
Names = tuple[tuple[str, ...], npt.NDArray[np.int64]]


def _in_order(names: dict[int, str]) -> Names:
    codes = sorted(names, key=names.__getitem__)
    return tuple(names[code] for code in codes), np.array(codes, dtype=np.int64)


@lru_cache(maxsize=256)
def _value_names(column: str, key: Key) -> Names:
    return _in_order({code: f"{column}={text(value)}" for code, value in enumerate(key[1]) if nameable(value)})


@lru_cache(maxsize=256)
def _cross_names(first: tuple[str, str, Values], second: tuple[str, str, Values], present: bytes, at: bytes) -> Names:
    """present: combinations of values (int64); at: the code of each."""
    own, other, size = _texts(first[2]), _texts(second[2]), len(second[2]) + 1
    found = {}
    for combination, code in zip(*(np.frombuffer(x, dtype=np.int64).tolist() for x in (present, at)), strict=True):
        i, j = divmod(combination, size)
        if i in own and j in other:
            found[code] = f"{first[0]}={own[i]}{AND}{second[0]}={other[j]}"
    return _in_order(found)


def _texts(values: Values) -> dict[int, str]:
    return {i: text(v) for i, v in enumerate(values) if nameable(v) and AND not in text(v)}


def _by_edges(spec: SliceSpec, columns: Columns) -> Grouping:
    column, edges = str(spec.by), np.asarray(spec.bins, dtype=float)
    if columns.is_dictionary(column):
        found = columns.encoded(column)
        index, values = found.index, np.array([np.nan if v is None else v for v in [*found.values, None]], dtype=float)
        table = _bin(values, edges)
    else:
        values, known = expression.column(columns.raw(column).to_pandas())
        numbers = np.where(known, values.astype(float), np.nan)
        index, table = _bin(numbers, edges) + 1, np.arange(-1, len(edges) + 1, dtype=np.int32)
    names = [name for name, _ in slice_values.bins(column, edges.tolist())]
    return Grouping(spec.label, tuple(names[:-1]), index, table)


def _bin(values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> Index:
    found = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), -1, found).astype(np.int32)


def _by_predicate(spec: SliceSpec, columns: Columns) -> Grouping:
    predicate = str(spec.where)
    used = [name for name in spec.columns if columns.raw(name) is not None]
    coded = bool(used) and all(columns.is_dictionary(name) for name in used)
    sizes = [columns.encoded(name).size for name in used] if coded else []
    if coded and np.prod(sizes, dtype=float) <= COMBINATIONS:
        index = np.ravel_multi_index([columns.encoded(name).index for name in used], sizes).astype(np.int32)
        at = np.unravel_index(np.arange(int(np.prod(sizes))), sizes)
        frame = {c: columns.dictionary(c).take(p).reset_index(drop=True) for c, p in zip(used, at, strict=True)}
        inside = expression.mask(predicate, frame, len(at[0]))
        return Grouping(spec.label, (spec.label,), index, inside.astype(np.int32) - 1)
    inside = expression.mask(predicate, columns.rows(used), len(columns))
    return Grouping(spec.label, (spec.label,), inside.astype(np.int32), np.array([-1, 0], dtype=np.int32))


def _most_frequent(label: str, index: npt.NDArray[np.integer], size: int, names: Names) -> Grouping:
    """At most KEPT slices."""
    shown, codes = names
    if cut := len(shown) > KEPT:
        count = _tally(index, size)[codes]
        best = np.sort(np.lexsort((np.arange(len(codes)), -count))[:KEPT])
        shown, codes = tuple(shown[i] for i in best), codes[best]
    return Grouping(label, shown, index, _table(size, codes.tobytes()), cut)


@lru_cache(maxsize=256)
def _table(size: int, codes: bytes) -> Index:
    """Position of each code, not to be written to; codes: int64."""
    out = np.full(size, -1, dtype=np.int32)
    found = np.frombuffer(codes, dtype=np.int64)
    out[found] = np.arange(len(found))
    out.flags.writeable = False
    return out


def _tally(index: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.int64]:
    out = np.zeros(size, dtype=np.int64)
    kernel.tally(index, out)
    return out
