"""Slices may overlap; strata do not: each row belongs to the rarest slice that holds it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from continual.samplers.base import Bools, Floats

Ints = npt.NDArray[np.int64]


def partition(slices: Mapping[str, Bools], n: int) -> Ints:
    """(n,) stratum of each row: 0 = in no slice. Rarest first; equal ones by name."""
    out = np.zeros(n, dtype=np.int64)
    common_first = sorted(slices, key=lambda name: (-int(slices[name].sum()), name))
    for number, name in enumerate(common_first, start=1):
        out[slices[name]] = number
    return out


def floors(slices: Mapping[str, Bools], wanted: Mapping[str, float], n: int) -> Floats:
    """(n,) max over the slices of a row of min(1, wanted / N): every slice can expect what it wants. wanted: slice ->
    expected number of labels; slices without rows want in vain."""
    out = np.zeros(n)
    for name, number in wanted.items():
        inside = slices.get(name)
        size = 0 if inside is None else int(inside.sum())
        if inside is not None and size:
            out[inside] = np.maximum(out[inside], min(1.0, number / size))
    return out
