"""A block in bytes: what its days have in common as compressed text, the numbers as they are or in planes of bits.

Sums of fractions do not compress, counts are packed in a way of their own (cells.planes): a general compressor over
all of it took longer than counting does, for a sixth of the bytes.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells import planes
from continual.cells.block import FORMAT, Block, Part
from continual.cells.counts import Counts, smallest
from continual.errors import StoreError

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
MAGIC = b"CELL"
#: magic, format, day, bytes of the parts (packed; as text), of the header, words of the counts, bytes of the arrays.
_PREFIX = struct.Struct("<4sHiIIIQQ2x")
#: For names, which days have in common: they are packed once.
CODEC = "zstd"


def write(block: Block) -> bytes:
    """Prefix, names of the slices, header, arrays; what holds numbers of 8 bytes starts at a multiple of 8."""
    columns, at = distinct([*block.sums.values(), *block.products.values()])
    whole = [is_whole(column) for column in columns]
    # those of fractions first, then those of whole numbers
    order = sorted(range(len(columns)), key=lambda i: whole[i])
    slices = smallest(block.counted.slices) if block.counted else None
    numbers = _rows(block, [columns[i] for i in order if whole[i]])
    arrays = numbers | {"floats": np.array([columns[i] for i in order if not whole[i]]).reshape(-1, len(block.n))}
    words: planes.Words = np.zeros(0, dtype=np.uint64)
    if slices is not None and slices.dtype.kind == "u":
        arrays["bits"], words = planes.pack(slices)
    elif slices is not None:
        arrays["slices"] = slices
    # the widest numbers first, so that each array starts at a multiple of its number's size
    arrays = dict(sorted(arrays.items(), key=lambda item: -item[1].itemsize))
    header = {
        "bins": block.bins,
        "sums": list(block.sums),
        "products": [list(pair) for pair in block.products],
        "columns": [order.index(i) for i in at],
        "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
        "slices": [slices.dtype.str, list(slices.shape)] if slices is not None else None,
    }
    text = _padded(json.dumps(header, separators=(",", ":")).encode(), b" ")
    size, names = _pack_parts(block.parts)
    body = [np.ascontiguousarray(one).data.cast("B") for one in (words, *arrays.values()) if one.size]
    prefix = _PREFIX.pack(MAGIC, FORMAT, block.day, len(names), size, len(text), len(words), sum(map(len, body)))
    return b"".join([prefix, _padded(names, b"\0"), text, *body])


def read(data: bytes) -> Block:
    """
    Raises
    ------
    StoreError: no block, cut short, or written by a newer version.
    """
    try:
        return _read(data)
    except (struct.error, OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"A block of cells must be readable and of format {FORMAT}.",
            f"{error}.",
            "rebuild the cells of the day; if a newer version wrote them, install it.",
        ) from error


def _read(data: bytes) -> Block:
    magic, version, day, packed, size, text, n_words, total = _PREFIX.unpack_from(data)
    if (magic, version) != (MAGIC, FORMAT):
        raise ValueError(f"format {magic!r} {version}")
    at = _PREFIX.size
    parts = _parts(data[at : at + packed], size)
    at += packed + -packed % 8
    header = _header(data[at : at + text])
    at += text
    if len(data) != at + total:
        raise ValueError(f"{len(data)} bytes instead of {at + total}")
    words, at = np.frombuffer(data, dtype=np.uint64, count=n_words, offset=at), at + 8 * n_words
    arrays = {}
    for name, kind, shape in header.arrays:
        arrays[name] = np.frombuffer(data, dtype=kind, count=math.prod(shape), offset=at).reshape(shape)
        at += arrays[name].nbytes
    rows = np.concatenate([arrays["tops"], arrays["rows"]], axis=1, dtype=np.int64)
    kept = [*arrays["floats"], *(row.astype(np.float64) for row in rows[3:])]
    columns = [kept[i] for i in header.columns]
    return Block(
        day=day,
        parts=parts,
        n=rows[0],
        n_labelled=rows[1],
        n_unscored=rows[2],
        counted=_counted(arrays, words, header),
        bins=header.bins,
        sums=dict(zip(header.sums, columns, strict=False)),
        products=dict(zip(header.products, columns[len(header.sums) :], strict=True)),
    )


def _rows(block: Block, whole: list[Floats]) -> dict[str, Array]:
    """`overall` apart: the others mostly need half the bytes."""
    rows = np.stack([block.n, block.n_labelled, block.n_unscored, *(column.astype(np.int64) for column in whole)])
    out = {"tops": smallest(rows[:, :1]), "rows": smallest(rows[:, 1:])}
    return out | ({"overall": smallest(block.counted.overall)} if block.counted else {})


def _counted(arrays: Mapping[str, Array], words: planes.Words, header: _Header) -> Counts | None:
    if header.slices is None:
        return None
    if "slices" in arrays:
        return Counts(arrays["overall"], arrays["slices"])
    return Counts(arrays["overall"], planes.unpack(arrays["bits"], words, *header.slices))


@dataclass(frozen=True)
class _Header:
    """What the days of a window mostly have in common: it is read once for all of them."""

    bins: Mapping[str, Any] | None
    sums: list[str]
    products: list[tuple[str, str]]
    columns: list[int]
    arrays: list[tuple[str, Any, tuple[int, ...]]]
    slices: tuple[Any, tuple[int, ...]] | None


@lru_cache(maxsize=64)
def _header(text: bytes) -> _Header:
    found = json.loads(text)
    return _Header(
        bins=found["bins"],
        sums=found["sums"],
        products=[(t, u) for t, u in found["products"]],
        columns=found["columns"],
        arrays=[(name, np.dtype(kind), tuple(shape)) for name, kind, shape in found["arrays"]],
        slices=found["slices"] and (np.dtype(found["slices"][0]), tuple(found["slices"][1])),
    )


@lru_cache(maxsize=64)
def _pack_parts(parts: tuple[Part, ...]) -> tuple[int, bytes]:
    """Bytes of the text, and the text packed."""
    import pyarrow as pa

    text = json.dumps([[part.label, part.names, part.cut] for part in parts], separators=(",", ":")).encode()
    return len(text), pa.Codec(CODEC).compress(text, asbytes=True)


@lru_cache(maxsize=64)
def _parts(packed: bytes, size: int) -> tuple[Part, ...]:
    """Equal parts are one object, so that what follows from them is found once."""
    import pyarrow as pa

    text = pa.Codec(CODEC).decompress(packed, decompressed_size=size, asbytes=True)
    return _one_of(tuple(Part(label, tuple(names), cut) for label, names, cut in json.loads(text)))


@lru_cache(maxsize=64)
def _one_of(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return parts


def _padded(text: bytes, with_: bytes) -> bytes:
    return text + with_ * (-len(text) % 8)


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
