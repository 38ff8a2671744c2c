"""Counts in as many bits as they need: 64 at a time, each bit of theirs in a word of its own.

Counts of neighbouring score bins are alike, so of 64 bytes the largest says how many bits all of them need: a half to a
fifth of the bytes, for a few instructions per 64 counts. A general compressor finds a little less or a little more in
ten times the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells import vectors
from continual.core.compiling import compiled

Counts = npt.NDArray[np.unsignedinteger[Any]]
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


def pack(counts: Counts) -> tuple[Bytes, Words]:
    """Number of bits of each 64 bytes, and their words; counts: any shape. Of wide numbers all lowest bytes come
    first."""
    flat = np.ascontiguousarray(counts).reshape(-1)
    if flat.itemsize > 1:
        flat = np.ascontiguousarray(flat.view(np.uint8).reshape(-1, flat.itemsize).T).reshape(-1)
    flat = flat.view(np.uint8)
    whole, over = divmod(flat.size, vectors.LANES)
    bits, words = np.empty(whole + (over > 0), np.uint8), np.empty(8 * (whole + (over > 0)), np.uint64)
    body, last = flat[: whole * vectors.LANES], np.zeros(vectors.LANES, dtype=np.uint8)
    size = _pack(body, body.view(np.uint64), bits[:whole], words)
    if over:
        last[:over] = flat[-over:]
        size += _pack(last, last.view(np.uint64), bits[whole:], words[size:])
    return bits, words[:size]


def unpack(bits: Bytes, words: Words, kind: Any, shape: tuple[int, ...]) -> Counts:
    """The counts again, of the type `kind`.

    Raises
    ------
    ValueError: other words than the bits say.
    """
    size, width = int(np.prod(shape)), np.dtype(kind).itemsize
    if int(bits.sum(dtype=np.int64)) != len(words) or len(bits) * vectors.LANES < size * width:
        raise ValueError(f"{len(words)} words for {len(bits)} groups of counts")
    out = np.zeros(vectors.LANES * len(bits), dtype=np.uint8)
    _unpack(bits, words, out)
    out = out[: size * width]
    if width > 1:
        out = np.ascontiguousarray(out.reshape(width, size).T).reshape(-1)
    counts: Counts = out.view(kind).reshape(shape)
    return counts


@compiled
def _pack(counts: Any, longs: Any, bits: Any, words: Any) -> int:
    """longs: the counts, eight in one. Returns the number of words."""
    size, start = 0, counts.ctypes.data
    for i in range(len(bits)):
        some = longs[8 * i]
        for j in range(1, 8):
            some |= longs[8 * i + j]
        some |= some >> np.uint64(32)
        some |= some >> np.uint64(16)
        some |= some >> np.uint64(8)
        some &= np.uint64(255)
        need = 0
        while some:
            words[size] = vectors.plane(start + 64 * i, np.uint8(1 << need))
            size += 1
            need += 1
            some >>= np.uint64(1)
        bits[i] = need
    return size


@compiled
def _unpack(bits: Any, words: Any, out: Any) -> None:
    start, at = out.ctypes.data, 0
    for i in range(len(bits)):
        for bit in range(bits[i]):
            vectors.put_plane(start + 64 * i, words[at], np.uint8(1 << bit))
            at += 1
