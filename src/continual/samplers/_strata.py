"""Slices may overlap; strata do not: each row belongs to the rarest slice that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from continual.samplers._columns import Column, Values, chunks


def size_of(inside: Any) -> int:
    """Members of a slice. inside: (n,) bool, read a chunk at a time."""
    return sum(int(np.count_nonzero(inside[part])) for part in chunks(len(inside)))


def partition(slices: Mapping[str, Any], n: int) -> Column:
    """(n,) stratum of each row: 0 = in no slice. Rarest first; equal ones by name."""
    sizes = {name: size_of(inside) for name, inside in slices.items()}
    common_first = sorted(slices, key=lambda name: (-sizes[name], name))

    def read(part: slice) -> Values:
        out = np.zeros(part.stop - part.start, dtype=np.int64)
        for number, name in enumerate(common_first, start=1):
            out[slices[name][part]] = number
        return out

    return Column(n, read)


def floors(slices: Mapping[str, Any], wanted: Mapping[str, float], n: int) -> Column:
    """(n,) max over the slices of a row of min(1, wanted / N): every slice can expect what it wants. wanted: slice ->
    expected number of labels; slices without rows want in vain."""
    sizes = {name: size_of(slices[name]) for name in wanted if name in slices}
    chances = {name: min(1.0, wanted[name] / size) for name, size in sizes.items() if size}

    def read(part: slice) -> Values:
        out = np.zeros(part.stop - part.start)
        for name, chance in chances.items():
            out = np.maximum(out, np.where(slices[name][part], chance, 0.0))
        return out

    return Column(n, read)


def scaled(chances: Column, most: float) -> Column:
    """`chances` (n,), all of them scaled down so that they sum to `most` at most."""
    share = min(1.0, most / max(chances.total(), 1e-12))
    return chances.map(lambda p: p * share)
