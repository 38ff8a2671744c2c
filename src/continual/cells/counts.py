"""Counts of one day: those of `overall` apart, so that the many small numbers of the slices fit in small types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Counts:
    """overall: (L, B); slices: (S - 1, L, B). Whole numbers of the smallest type that holds them, or weights."""

    overall: Array
    slices: Array

    @property
    def table(self) -> Array:
        """(S, L, B), `overall` first."""
        return np.concatenate([self.overall[None], self.slices])

    def plus(self, other: Counts, sign: int) -> Counts:
        """Of the same slices."""
        return Counts(_add(self.overall, other.overall, sign), _add(self.slices, other.slices, sign))


def smallest(counts: Array) -> Array:
    """Whole numbers in the smallest unsigned type that holds them; weights, and what is negative, as they are."""
    if counts.dtype.kind == "f" or counts.dtype == np.uint8 or not counts.size:
        return counts
    if counts.dtype.kind != "u" and counts.min() < 0:
        return counts
    return counts.astype(np.min_scalar_type(int(counts.max())), copy=False)


def _add(a: Array, b: Array, sign: int) -> Array:
    wide: Any = np.float64 if "f" in {a.dtype.kind, b.dtype.kind} else np.int64 if a.dtype.itemsize > 2 else np.int32
    mine, other = a.astype(wide), b.astype(wide)
    return smallest(mine + sign * other)
