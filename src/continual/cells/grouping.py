"""Groupings: each slice specification cuts the rows into disjoint slices, found by one table look-up per row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from continual.cells.columns import Columns, Encoded, Index, nameable
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
    index: Index
    table: npt.NDArray[np.int32]
    cut: bool = False

    @property
    def codes(self) -> npt.NDArray[np.int32]:
        """(n,) position in `names`, -1 = in no slice."""
        return self.table[self.index]


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
    names = {code: f"{column}={text(value)}" for code, value in enumerate(found.values) if nameable(value)}
    return _most_frequent(spec.label, found.index, found.size, names)


def _by_cross(spec: SliceSpec, columns: Columns) -> Grouping:
    first, second = spec.cross or ("", "")
    a, b = columns.encoded(first), columns.encoded(second)
    index, size = a.index.astype(np.int64) * b.size + b.index, a.size * b.size
    if size > DENSE:
        present, index = np.unique(index, return_inverse=True)
        size, at = len(present), np.arange(len(present))
    else:
        present = at = np.flatnonzero(_tally(index, size))
    own, other = _texts(a), _texts(b)
    names = {}
    for position, code in zip(at.tolist(), present.tolist(), strict=True):
        i, j = divmod(code, b.size)
        if i in own and j in other:
            names[position] = f"{first}={own[i]}{AND}{second}={other[j]}"
    return _most_frequent(spec.label, index.astype(np.int32), size, names)


def _texts(encoded: Encoded) -> dict[int, str]:
    return {i: text(v) for i, v in enumerate(encoded.values) if nameable(v) and AND not in text(v)}


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


def _most_frequent(label: str, index: Index, size: int, names: dict[int, str]) -> Grouping:
    """Slices in the order of their names; at most KEPT."""
    kept: Iterable[int] = names
    if len(names) > KEPT:
        count = _tally(index, size)
        kept = sorted(names, key=lambda code: (-count[code], names[code]))[:KEPT]
    ordered = sorted(kept, key=names.__getitem__)
    table = np.full(size, -1, dtype=np.int32)
    table[ordered] = np.arange(len(ordered))
    return Grouping(label, tuple(names[code] for code in ordered), index, table, len(names) > KEPT)


def _tally(index: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.int64]:
    from continual.cells.kernel import tally

    out = np.zeros(size, dtype=np.int64)
    tally(index, out)
    return out
