"""A block: all cells of one day and one model version (or pair of versions), as one compressed blob."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells import sparse
from continual.cells.counts import Counts, smallest
from continual.core.verdict import OVERALL
from continual.errors import StoreError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MAGIC, FORMAT = b"CELL", 2
#: magic, format, day, sizes of header and of the plain body
_PREFIX = struct.Struct("<4sHiIQ")
#: Blobs of counts are larger than by zstd (a third at 256 bins, three quarters with many cells), faster to unpack.
CODEC = "lz4_raw"


@dataclass(frozen=True)
class Part:
    """The slices of one grouping, in the order of the block's rows. cut: rarer values have no cells of their own."""

    label: str
    names: tuple[str, ...]
    cut: bool = False


@dataclass(frozen=True)
class Block:
    """Cells of S slices: `overall` first, then those of each part.

    day: UTC day number. n: (S,) rows; n_labelled: with a label and a score; n_unscored: without a valid score.
    counted: (S, L, B) as in core.cells.Cells; bins: resolution and thresholds of binary counts. sums: term -> (S,);
    products: pair of terms -> (S,).
    """

    day: int
    parts: tuple[Part, ...]
    n: Ints
    n_labelled: Ints
    n_unscored: Ints
    counted: Counts | None = None
    bins: Mapping[str, Any] | None = None
    sums: Mapping[str, Floats] = field(default_factory=dict)
    products: Mapping[tuple[str, str], Floats] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return (OVERALL, *(name for part in self.parts for name in part.names))

    @property
    def counts(self) -> npt.NDArray[Any] | None:
        """(S, L, B)."""
        return None if self.counted is None else self.counted.table

    def to_bytes(self) -> bytes:
        """Self-describing: prefix, header in JSON, then the arrays, both compressed."""
        columns, at = distinct([*self.sums.values(), *self.products.values()])
        whole = [is_whole(column) for column in columns]
        # those of fractions first, then those of whole numbers
        order = sorted(range(len(columns)), key=lambda i: whole[i])
        arrays = self._arrays([columns[i] for i in order if not whole[i]], [columns[i] for i in order if whole[i]])
        header = {
            "bins": self.bins,
            "sums": list(self.sums),
            "products": [list(pair) for pair in self.products],
            "columns": [order.index(i) for i in at],
            "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
            "shape": list(self.counted.slices.shape) if self.counted else None,
        }
        text = f'{{"parts":{_parts_text(self.parts)},{json.dumps(header, separators=(",", ":"))[1:]}'.encode()
        text += b" " * (-len(text) % 8)  # numbers of 8 bytes start at a multiple of 8
        body = b"".join([text, *(array.tobytes() for array in arrays.values())])
        import pyarrow as pa

        packed: bytes = pa.Codec(CODEC).compress(body, asbytes=True)
        return _PREFIX.pack(MAGIC, FORMAT, self.day, len(text), len(body)) + packed

    def _arrays(self, floats: list[Floats], whole: list[Floats]) -> dict[str, npt.NDArray[Any]]:
        """The widest numbers first, so that each array starts at a multiple of its number's size."""
        size = len(self.n)
        rows = np.stack([self.n, self.n_labelled, self.n_unscored, *(column.astype(np.int64) for column in whole)])
        # `overall` apart: the others mostly need half the bytes
        out = {"tops": smallest(rows[:, :1]), "rows": smallest(rows[:, 1:])}
        if self.counted is not None:
            out["overall"] = smallest(self.counted.overall)
            slices = smallest(self.counted.slices)
            out |= sparse.pack(slices) if sparse.is_sparse(slices) else {"slices": slices}
        out = dict(sorted(out.items(), key=lambda item: -item[1].itemsize))
        return {"floats": np.stack(floats) if floats else np.zeros((0, size))} | out

    @classmethod
    def from_bytes(cls, blob: bytes) -> Block:
        """
        Raises
        ------
        StoreError: no block, cut short, or written by a newer version.
        """
        day, header, arrays = _unpack(blob)
        rows = np.concatenate([arrays["tops"], arrays["rows"]], axis=1, dtype=np.int64)
        kept = [*arrays["floats"], *(row.astype(np.float64) for row in rows[3:])]
        columns = [kept[i] for i in header.columns]
        return cls(
            day=day,
            parts=header.parts,
            n=rows[0],
            n_labelled=rows[1],
            n_unscored=rows[2],
            counted=_counted(arrays, header),
            bins=header.bins,
            sums=dict(zip(header.sums, columns, strict=False)),
            products=dict(zip(header.products, columns[len(header.sums) :], strict=True)),
        )

    def plus(self, other: Block, sign: int = 1) -> Block:
        """The cells of both blocks' rows, of one day and layout (sign = -1: without the other's rows).

        Raises
        ------
        StoreError: the blocks differ in day, groupings, bins or terms.
        """
        mine = (self.day, [p.label for p in self.parts], self.bins, set(self.sums), set(self.products))
        theirs = (other.day, [p.label for p in other.parts], other.bins, set(other.sums), set(other.products))
        if mine != theirs or (self.counted is None) != (other.counted is None):
            raise StoreError(
                "Blocks that are added must be of one day and one layout.",
                f"{mine} and {theirs}.",
                "build both with the same plan.",
            )
        a, b = self.spread(parts := union(self.parts, other.parts)), other.spread(parts)
        add = {name: getattr(a, name) + sign * getattr(b, name) for name in ("n", "n_labelled", "n_unscored")}
        counted = a.counted.plus(b.counted, sign) if a.counted and b.counted else None
        sums = {name: value + sign * b.sums[name] for name, value in a.sums.items()}
        products = {name: value + sign * b.products[name] for name, value in a.products.items()}
        return replace(a, **add, counted=counted, sums=sums, products=products)

    def spread(self, parts: tuple[Part, ...]) -> Block:
        """The same cells laid out for other slices of the same groupings; new slices are empty."""
        if parts == self.parts:
            return self
        at = positions(self.parts, parts)
        size = 1 + sum(len(part.names) for part in parts)

        def move(old: Any, skip: int = 0) -> Any:
            new = np.zeros((size - skip, *old.shape[1:]), dtype=old.dtype)
            new[at[skip:] - skip] = old
            return new

        return replace(
            self,
            parts=parts,
            n=move(self.n),
            n_labelled=move(self.n_labelled),
            n_unscored=move(self.n_unscored),
            counted=self.counted and Counts(self.counted.overall, move(self.counted.slices, 1)),
            sums={name: move(value) for name, value in self.sums.items()},
            products={name: move(value) for name, value in self.products.items()},
        )


def distinct(columns: Sequence[Floats]) -> tuple[list[Floats], list[int]]:
    """The different ones among columns, and which of them each is: without weights many sums are the same."""
    kept: list[Floats] = []
    at, alike = [], dict[float, list[int]]()
    for column in columns:
        near = alike.setdefault(float(column[0]), [])
        found = next((i for i in near if kept[i] is column or np.array_equal(kept[i], column)), None)
        if found is None:
            found = len(kept)
            kept.append(column)
            near.append(found)
        at.append(found)
    return kept, at


def is_whole(column: Floats) -> bool:
    """Whether it holds whole numbers only, of a size that float64 holds exactly."""
    return bool(column[0] == np.rint(column[0])) and bool(
        ((column == np.rint(column)) & (np.abs(column) < 2**53)).all()
    )


def union(first: tuple[Part, ...], second: tuple[Part, ...]) -> tuple[Part, ...]:
    """The slices of both, by grouping; names sorted unless they are equal."""
    if first == second:
        return first
    return tuple(
        Part(a.label, a.names if a.names == b.names else tuple(sorted({*a.names, *b.names})), a.cut or b.cut)
        for a, b in zip(first, second, strict=True)
    )


def positions(old: tuple[Part, ...], new: tuple[Part, ...]) -> Ints:
    """(S,) row of each old slice among the new ones, -1 = not there."""
    out, start = [0], 1
    for a, b in zip(old, new, strict=True):
        if a.names == b.names:
            out.extend(range(start, start + len(b.names)))
        else:
            at = {name: start + i for i, name in enumerate(b.names)}
            out.extend(at.get(name, -1) for name in a.names)
        start += len(b.names)
    return np.array(out, dtype=np.int64)


@lru_cache(maxsize=64)
def _parts_text(parts: tuple[Part, ...]) -> str:
    return json.dumps([[part.label, part.names, part.cut] for part in parts], separators=(",", ":"))


@dataclass(frozen=True)
class _Header:
    """What the days of a window mostly have in common: it is read once for all of them."""

    parts: tuple[Part, ...]
    bins: Mapping[str, Any] | None
    sums: list[str]
    products: list[tuple[str, str]]
    columns: list[int]
    arrays: list[tuple[str, Any, tuple[int, ...]]]
    shape: tuple[int, ...] | None


@lru_cache(maxsize=64)
def _one_of(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Equal parts are one object, so that what follows from them is found once."""
    return parts


@lru_cache(maxsize=64)
def _header(text: bytes) -> _Header:
    found = json.loads(text)
    return _Header(
        parts=_one_of(tuple(Part(label, tuple(names), cut) for label, names, cut in found["parts"])),
        bins=found["bins"],
        sums=found["sums"],
        products=[(t, u) for t, u in found["products"]],
        columns=found["columns"],
        arrays=[(name, np.dtype(kind), tuple(shape)) for name, kind, shape in found["arrays"]],
        shape=None if found["shape"] is None else tuple(found["shape"]),
    )


def _counted(arrays: Mapping[str, npt.NDArray[Any]], header: _Header) -> Counts | None:
    if header.shape is None:
        return None
    if "slices" in arrays:
        return Counts(arrays["overall"], arrays["slices"])
    slices = sparse.unpack(arrays["marks"], arrays["halves"], arrays["large"], header.shape)
    return Counts(arrays["overall"], slices)


def _unpack(blob: bytes) -> tuple[int, _Header, dict[str, npt.NDArray[Any]]]:
    import pyarrow as pa

    try:
        magic, version, day, text, size = _PREFIX.unpack_from(blob)
        if (magic, version) != (MAGIC, FORMAT):
            raise ValueError(f"format {magic!r} {version}")
        body = pa.Codec(CODEC).decompress(memoryview(blob)[_PREFIX.size :], decompressed_size=size, asbytes=True)
        header = _header(body[:text])
        arrays, at = {}, text
        for name, kind, shape in header.arrays:
            array = np.frombuffer(body, dtype=kind, count=math.prod(shape), offset=at)
            arrays[name], at = array.reshape(shape), at + array.nbytes
    except (struct.error, OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"A block of cells must be readable and of format {FORMAT}.",
            f"{error}.",
            "rebuild the cells of the day; if a newer version wrote them, install it.",
        ) from error
    return day, header, arrays
