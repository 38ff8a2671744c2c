"""A block: all cells of one day and one model version (or pair of versions), as one compressed blob."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.verdict import OVERALL
from continual.errors import StoreError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MAGIC, FORMAT = b"CELL", 1
#: magic, format, sizes of header and of the plain body
_PREFIX = struct.Struct("<4sHIQ")
CODEC = "zstd"


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
    counts: (S, L, B) as in core.cells.Cells; bins: resolution and thresholds of binary counts. sums: term -> (S,);
    products: pair of terms -> (S,).
    """

    day: int
    parts: tuple[Part, ...]
    n: Ints
    n_labelled: Ints
    n_unscored: Ints
    counts: npt.NDArray[np.generic] | None = None
    bins: Mapping[str, Any] | None = None
    sums: Mapping[str, Floats] = field(default_factory=dict)
    products: Mapping[tuple[str, str], Floats] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return (OVERALL, *(name for part in self.parts for name in part.names))

    def to_bytes(self) -> bytes:
        """Self-describing: prefix, header in JSON, then the arrays, both compressed."""
        arrays = self._arrays()
        header = {
            "day": self.day,
            "parts": [[part.label, list(part.names), part.cut] for part in self.parts],
            "bins": self.bins,
            "sums": list(self.sums),
            "products": [list(pair) for pair in self.products],
            "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # numbers of 8 bytes start at a multiple of 8
        body = b"".join([text, *(array.tobytes() for array in arrays.values())])
        import pyarrow as pa

        packed: bytes = pa.Codec(CODEC, compression_level=1).compress(body, asbytes=True)
        return _PREFIX.pack(MAGIC, FORMAT, len(text), len(body)) + packed

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The widest numbers first, so that each array starts at a multiple of its number's size."""
        size = len(self.n)
        out = {"sums": _matrix(self.sums, size), "products": _matrix(self.products, size)}
        if self.counts is not None:
            out["counts"] = smallest(self.counts)
        return out | {"n": smallest(np.stack([self.n, self.n_labelled, self.n_unscored]))}

    @classmethod
    def from_bytes(cls, blob: bytes) -> Block:
        """
        Raises
        ------
        StoreError: no block, cut short, or written by a newer version.
        """
        header, arrays = _unpack(blob)
        n = arrays["n"].astype(np.int64)
        return cls(
            day=header["day"],
            parts=tuple(Part(label, tuple(names), cut) for label, names, cut in header["parts"]),
            n=n[0],
            n_labelled=n[1],
            n_unscored=n[2],
            counts=arrays.get("counts"),
            bins=header["bins"],
            sums=dict(zip(header["sums"], arrays["sums"], strict=True)),
            products=dict(zip(map(tuple, header["products"]), arrays["products"], strict=True)),
        )

    def plus(self, other: Block, sign: int = 1) -> Block:
        """The cells of both blocks' rows, of one day and layout (sign = -1: without the other's rows).

        Raises
        ------
        StoreError: the blocks differ in day, groupings, bins or terms.
        """
        mine = (self.day, [p.label for p in self.parts], self.bins, set(self.sums), set(self.products))
        theirs = (other.day, [p.label for p in other.parts], other.bins, set(other.sums), set(other.products))
        if mine != theirs or (self.counts is None) != (other.counts is None):
            raise StoreError(
                "Blocks that are added must be of one day and one layout.",
                f"{mine} and {theirs}.",
                "build both with the same plan.",
            )
        a, b = self.spread(parts := union(self.parts, other.parts)), other.spread(parts)
        add = {name: getattr(a, name) + sign * getattr(b, name) for name in ("n", "n_labelled", "n_unscored")}
        counts = None
        if a.counts is not None and b.counts is not None:
            counts = smallest(_signed(a.counts) + sign * _signed(b.counts))
        sums = {name: value + sign * b.sums[name] for name, value in a.sums.items()}
        products = {name: value + sign * b.products[name] for name, value in a.products.items()}
        return replace(a, **add, counts=counts, sums=sums, products=products)

    def spread(self, parts: tuple[Part, ...]) -> Block:
        """The same cells laid out for other slices of the same groupings; new slices are empty."""
        if parts == self.parts:
            return self
        at = positions(self.parts, parts)
        size = 1 + sum(len(part.names) for part in parts)

        def move(old: Any) -> Any:
            new = np.zeros((size, *old.shape[1:]), dtype=old.dtype)
            new[at[at >= 0]] = old[at >= 0]
            return new

        return replace(
            self,
            parts=parts,
            n=move(self.n),
            n_labelled=move(self.n_labelled),
            n_unscored=move(self.n_unscored),
            counts=None if self.counts is None else move(self.counts),
            sums={name: move(value) for name, value in self.sums.items()},
            products={name: move(value) for name, value in self.products.items()},
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


def smallest(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole numbers in the smallest unsigned type that holds them; weights as they are."""
    if counts.dtype.kind == "f" or not counts.size:
        return counts
    if counts.min() < 0:
        return counts
    return counts.astype(np.min_scalar_type(int(counts.max())), copy=False)


def _signed(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return counts if counts.dtype.kind == "f" else counts.astype(np.int64)


def _matrix(columns: Mapping[Any, Floats], size: int) -> Floats:
    return np.stack(list(columns.values())) if columns else np.zeros((0, size))


def _unpack(blob: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    import pyarrow as pa

    try:
        magic, version, text, size = _PREFIX.unpack_from(blob)
        if (magic, version) != (MAGIC, FORMAT):
            raise ValueError(f"format {magic!r} {version}")
        body = pa.Codec(CODEC).decompress(memoryview(blob)[_PREFIX.size :], decompressed_size=size, asbytes=True)
        header = json.loads(body[:text])
        arrays, at = {}, text
        for name, kind, shape in header["arrays"]:
            array = np.frombuffer(body, dtype=kind, count=int(np.prod(shape)), offset=at)
            arrays[name], at = array.reshape(shape), at + array.nbytes
    except (struct.error, OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"A block of cells must be readable and of format {FORMAT}.",
            f"{error}.",
            "rebuild the cells of the day; if a newer version wrote them, install it.",
        ) from error
    return header, arrays
