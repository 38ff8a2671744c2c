"""A block: all cells of one day and one model version (or pair of versions), kept as one blob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.cells.counts import Counts
from continual.core.verdict import OVERALL
from continual.errors import StoreError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


#: Of what a block is in bytes; part of every layout, so that cells of another form are built again, not misread.
FORMAT = 4


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
        """Self-describing, see cells.blob."""
        from continual.cells import blob

        return blob.write(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Block:
        """
        Raises
        ------
        StoreError: no block, cut short, or written by a newer version.
        """
        from continual.cells import blob

        return blob.read(data)

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
