"""Sums of the metrics' terms by slice: those of all versions and pairs in one pass over the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.coding import Codes, Coding
from continual.cells.plan import Plan
from continual.core.cells import LABEL, ONE

Floats = npt.NDArray[np.float64]
#: Factors of what is summed without `one`; there are two at most.
Factors = tuple[str, ...]
#: Owner, factors, power of the weight.
Key = tuple[str, Factors, int]
#: The owner of what no model has a part in.
EVERY = ""


@dataclass(frozen=True)
class Layout:
    """Which columns a pass sums, and how the sums of each version and pair follow from them.

    alike: all versions answered the same rows. Then `one` and the label are summed once for all, and sums of
    differences are differences of sums: of a pair only the products need columns of their own.
    """

    plan: Plan
    versions: tuple[str, ...]
    pairs: Mapping[str, tuple[str, str]]
    weighted: bool
    alike: bool

    def parts(self, owner: str, factors: Factors, power: int) -> list[tuple[int, Key]]:
        """Signed columns that make up a sum; none: it is 0."""
        own = tuple(name for name in factors if name != ONE)
        if not self.alike:
            return [(1, (owner, own, power))]
        if not set(own) - {LABEL}:
            return [] if own and owner in self.pairs else [(1, (EVERY, own, power))]
        if owner not in self.pairs:
            return [(1, (owner, own, power))]
        if LABEL in own:
            return []
        if len(own) > 1:
            return [(1, (owner, own, power))]
        a, b = self.pairs[owner]
        return [(1, (a, own, power)), (-1, (b, own, power))]

    @property
    def wanted(self) -> Iterator[tuple[Factors, int]]:
        """Terms and products, each with its power of the weight."""
        yield from (((name,), int(self.weighted)) for name in (ONE, *self.plan.carried.terms))
        yield from ((product, 2 * self.weighted) for product in self.plan.carried.products)

    @cached_property
    def columns(self) -> dict[Key, int]:
        """The columns; a number of rows is none."""
        owners = (*self.versions, *self.pairs)
        keys = (key for o in owners for f, power in self.wanted for _, key in self.parts(o, f, power))
        return {key: i for i, key in enumerate(dict.fromkeys(key for key in keys if key[1] or key[2]))}

    @cached_property
    def rows(self) -> dict[tuple[str, str], int]:
        """(owner, term) -> row of the matrix of terms."""
        keys = ((owner, name) for owner, factors, _ in self.columns for name in factors or (ONE,))
        return {key: i for i, key in enumerate(dict.fromkeys(keys))}

    def program(self) -> npt.NDArray[np.int64]:
        """See kernel.sum_terms."""
        panels = -(-len(self.columns) // kernel.PANEL)
        out = np.full((panels * kernel.PANEL, 3), -2, dtype=np.int64)
        for i, (owner, factors, power) in enumerate(self.columns):
            found = [self.rows[owner, name] for name in factors or (ONE,)]
            out[i] = (found[0], found[1] if len(found) > 1 else -1, power)
        return out.reshape(panels, kernel.PANEL, 3)


class Sums:
    """The table of one layout, grown by chunks of rows."""

    def __init__(self, layout: Layout, coding: Coding) -> None:
        self.layout, self.coding = layout, coding
        self._program = layout.program()
        self._table = kernel.aligned(len(self._program), coding.joint_size, kernel.PANEL)
        self._panel = kernel.aligned(kernel.ROWS, kernel.PANEL)

    def add(self, joint: Codes, matrix: Floats, weight: Floats | None) -> None:
        """joint: (J, m); matrix: (rows of the layout, m); weight: (m,), None = all 1."""
        if len(self._program):
            weight = np.ones(1) if weight is None else weight
            kernel.sum_terms(joint, matrix, self._program, weight, self._panel, self._table)

    def of(self, owner: str, factors: Factors) -> Floats:
        """(S,) the sum of a term (t,) or product (t, u); what is a mere number of rows is not summed."""
        out = np.zeros(self._slices.shape[1])
        for sign, key in self.layout.parts(owner, factors, len(factors) * self.layout.weighted):
            panel, column = divmod(self.layout.columns[key], kernel.PANEL)
            out += sign * self._slices[panel, :, column]
        return out

    @cached_property
    def _slices(self) -> Floats:
        return self.coding.split(self._table)
