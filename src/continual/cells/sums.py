"""Sums of the metrics' terms by slice: those of all versions and pairs in one pass over the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.cells import kernel
from continual.cells.coding import Codes, Coding
from continual.cells.plan import Plan
from continual.core.cells import LABEL, ONE, Formula

if TYPE_CHECKING:
    from continual.cells.stretch import Stretch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
#: Rows whose terms are summed at a time: what is computed from them stays in a level-2 cache.
CHUNK = 1 << 13
#: Numbers of the formulas in kernel.tell.
FORMULAS = (Formula.LABEL, Formula.ERROR, Formula.SQUARE, Formula.SURPRISE)
#: Factors of what is summed without `one`; there are two at most.
Factors = tuple[str, ...]
#: Owner, factors, power of the weight.
Key = tuple[str, Factors, int]
#: The owner of what no model has a part in.
EVERY = ""
#: The row of the matrix that has the weights.
WEIGHT = "weight"


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

    @cached_property
    def _made_of(self) -> dict[tuple[str, Factors], tuple[tuple[int, int], ...]]:
        return {}

    def made_of(self, owner: str, factors: Factors) -> tuple[tuple[int, int], ...]:
        """`parts` as sign and number of the column."""
        key = owner, factors
        if key not in self._made_of:
            found = self.parts(owner, factors, len(factors) * self.weighted)
            self._made_of[key] = tuple((sign, self.columns[part]) for sign, part in found)
        return self._made_of[key]

    def parts(self, owner: str, factors: Factors, power: int) -> list[tuple[int, Key]]:
        """Signed columns that make up a sum; none: it is 0."""
        own = tuple(name for name in factors if name != ONE)
        if not self.alike:
            return [(1, (owner, own, power))]
        if not set(own) - {LABEL}:
            return [] if own and owner in self.pairs else [(1, (EVERY, own, power))]
        if owner not in self.pairs:
            return [(1, (owner, self._squared(own, power), power))]
        if LABEL in own:
            return []
        if len(own) > 1:
            return [(1, (owner, own, power))]
        a, b = self.pairs[owner]
        return [(1, (a, own, power)), (-1, (b, own, power))]

    def _squared(self, own: Factors, power: int) -> Factors:
        """An error times itself is the term that is its square, where that is summed with the same weight."""
        formulas = self.plan.formulas
        if len(own) == 2 and not power and all(formulas.get(name) is Formula.ERROR for name in own):
            return next(((name,) for name, formula in formulas.items() if formula is Formula.SQUARE), own)
        return own

    @property
    def wanted(self) -> Iterator[tuple[Factors, int]]:
        """Terms and products, each with its power of the weight."""
        yield from (((name,), int(self.weighted)) for name in (ONE, *self.plan.carried.terms))
        yield from ((product, 2 * self.weighted) for product in self.plan.carried.products)

    @cached_property
    def columns(self) -> dict[Key, int]:
        """The columns; the first is the number of rows."""
        owners = (*self.versions, *self.pairs)
        keys = [key for o in owners for f, power in self.wanted for _, key in self.parts(o, f, power)]
        rows = [(EVERY, (), 0), *(key for o in owners for _, key in self.parts(o, (ONE,), 0))]
        return {key: i for i, key in enumerate(dict.fromkeys([*rows, *keys]))}

    @cached_property
    def rows(self) -> dict[tuple[str, str], int]:
        """(owner, term) -> row of the matrix of terms; the first is 1, the second the weight if there is one."""
        first = [(EVERY, ONE), *([(EVERY, WEIGHT)] if self.weighted else [])]
        keys = [(owner, name) for owner, factors, _ in self.columns for name in factors or (ONE,)]
        return {key: i for i, key in enumerate(dict.fromkeys([*first, *keys]))}

    def told(self, version: str) -> tuple[Ints, list[int]]:
        """Rows of a version's terms that have a formula, see kernel.tell; and those whose logarithm is to be taken."""
        if version not in self._told:
            found = [
                (row, FORMULAS.index(self.plan.formulas[name]))
                for (owner, name), row in self.rows.items()
                if owner in {version, EVERY} and name in self.plan.formulas
            ]
            surprises = [row for row, formula in found if FORMULAS[formula] is Formula.SURPRISE]
            self._told[version] = np.array(found, dtype=np.int64).reshape(-1, 2), surprises
        return self._told[version]

    @cached_property
    def _told(self) -> dict[str, tuple[Ints, list[int]]]:
        return {}

    @cached_property
    def differences(self) -> Ints:
        """See kernel.subtract."""
        found = [
            (row, *(self.rows[one, name] for one in self.pairs[owner]))
            for (owner, name), row in self.rows.items()
            if owner in self.pairs and name != ONE
        ]
        return np.array(found, dtype=np.int64).reshape(-1, 3)

    @cached_property
    def program(self) -> Ints:
        """Rows of the matrix whose product is a column, see kernel.sum_terms; what is left of the last panel is 1."""
        panels, factors = -(-len(self.columns) // kernel.PANEL), 4 if self.weighted else 2
        out = np.full((panels * kernel.PANEL, factors), self.rows[EVERY, ONE], dtype=np.int64)
        for i, (owner, names, power) in enumerate(self.columns):
            made_of = [*((owner, name) for name in names or (ONE,)), *[(EVERY, WEIGHT)] * power]
            found = [self.rows[one] for one in made_of]
            out[i, : len(found)] = found
        return out.reshape(panels, kernel.PANEL, factors)


class Sums:
    """The table of one layout, grown by chunks of rows."""

    def __init__(self, layout: Layout, coding: Coding) -> None:
        self.layout, self.coding = layout, coding
        self._table = kernel.aligned(len(layout.program), coding.joint_size, kernel.PANEL)
        self._panel = kernel.aligned(kernel.ROWS, kernel.PANEL)
        self._address = np.zeros(layout.program.shape[1:], dtype=np.int64)
        self._matrix = np.zeros((len(layout.rows), CHUNK))
        self._matrix[layout.rows[EVERY, ONE]] = 1.0
        self._done: dict[tuple[tuple[int, int], ...], Floats] = {}

    def add(self, joint: Codes, first: int, rows: Stretch) -> None:
        """joint: (J, first + m or more); rows: m <= CHUNK of them."""
        layout, matrix = self.layout, self._matrix
        if not layout.alike:
            matrix[:] = 0.0
            matrix[layout.rows[EVERY, ONE]] = 1.0
        rows.fill(layout, matrix)
        size, starts = len(rows.label), self.coding.starts
        if rows.weight is not None:
            matrix[layout.rows[EVERY, WEIGHT], :size] = rows.weight
        kernel.sum_terms(joint, starts, first, size, matrix, layout.program, self._address, self._panel, self._table)

    @property
    def n(self) -> Ints:
        """(S,) rows that were added."""
        rows: Ints = self._slices[0].astype(np.int64)
        return rows

    def n_of(self, owner: str) -> Ints:
        """(S,) rows that a version, or both of a pair, answered."""
        ((_, key),) = self.layout.parts(owner, (ONE,), 0)
        rows: Ints = self._slices[self.layout.columns[key]].astype(np.int64)
        return rows

    def of(self, owner: str, factors: Factors) -> Floats:
        """(S,) the sum of a term (t,) or product (t, u). Equal sums are one array."""
        parts = self.layout.made_of(owner, factors)
        if parts not in self._done:
            out = np.zeros(self._slices.shape[1])
            for sign, column in parts:
                out += sign * self._slices[column]
            self._done[parts] = out
        return self._done[parts]

    @cached_property
    def _slices(self) -> Floats:
        """(columns, S)."""
        found = self.coding.split(self._table)
        return np.ascontiguousarray(found.transpose(0, 2, 1)).reshape(-1, found.shape[1])


def layout_of(
    plan: Plan, versions: tuple[str, ...], pairs: Mapping[str, tuple[str, str]], weighted: bool, alike: bool
) -> Layout:
    """Made once for all days that are alike."""
    key = Layout, versions, tuple(pairs.items()), weighted, alike
    if key not in plan.kept:
        plan.kept[key] = Layout(plan, versions, pairs, weighted, alike)
    found: Layout = plan.kept[key]
    return found
