"""What an estimator is given: every row of a window or slice, its surrogate, and the labels that are there."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Draws:
    """Rows drawn one after the other without replacement, each step from all rows left.

    step: (N,) 1 for the first row drawn, 0 for rows not drawn. proposal: (N,) chance in (0, 1] with which the row
    was drawn at its step, among the rows left; NaN where not drawn. pool, drawn: rows and draws of the whole
    design, also when this is the part of it that lies in a slice.
    """

    step: Ints
    proposal: Floats
    pool: int
    drawn: int

    def only(self, member: Bools) -> Draws:
        """The draws that fell on the rows of `member` (N,); steps keep their numbers."""
        return replace(self, step=self.step[member], proposal=self.proposal[member])


@dataclass(frozen=True)
class Evidence:
    """All N rows of a window or slice; arrays of shape (N,).

    observed: the per-row statistic whose mean is asked for (a loss, 0/1 for wrong, a paired difference); NaN where
    the row has no label. day: integer UTC day number, the cluster of the variance. surrogate: the model's own
    expectation of the statistic, from its calibrated confidence, on every row; None = the model has none.
    probability: chance in (0, 1] with which the row was to be labelled, of every row, chosen or not; None = not
    recorded. draws: set instead of `probability` for sequential designs. known_zero: rows whose statistic is 0
    whatever the label, such as those where two models agree; None = none. lowest, highest: range of the statistic.
    variance: of the statistic by the model's own confidence, where that says more than the range; None = not known.
    skewed: a few labels may carry the estimate; without a finite range its interval then follows its skewness.

    Raises
    ------
    ValueError: the arrays have different lengths.
    """

    observed: Floats
    day: Ints
    surrogate: Floats | None = None
    probability: Floats | None = None
    draws: Draws | None = None
    known_zero: Bools | None = None
    lowest: float = -math.inf
    highest: float = math.inf
    variance: Floats | None = None
    skewed: bool = False

    def __post_init__(self) -> None:
        arrays = {name: value for name, value in self._columns().items() if isinstance(value, np.ndarray)}
        if self.draws is not None:
            arrays |= {"draws.step": self.draws.step, "draws.proposal": self.draws.proposal}
        if len({np.shape(value) for value in arrays.values()}) > 1 or np.ndim(self.observed) != 1:
            shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in arrays.items())
            raise ValueError(f"arrays must have one length, got {shapes}")

    def __len__(self) -> int:
        return len(self.observed)

    def _columns(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def labelled(self) -> Bools:
        """(N,) whether the row has a label that says something (not on a row known to be 0)."""
        has = ~np.isnan(self.observed)
        return has if self.known_zero is None else has & ~self.known_zero

    @property
    def n_labelled(self) -> int:
        return int(np.count_nonzero(self.labelled))

    def only(self, member: Bools) -> Evidence:
        """The evidence on the rows of `member`, (N,) bool."""

        def part(value: Any) -> Any:
            if isinstance(value, Draws):
                return value.only(member)
            return value[member] if isinstance(value, np.ndarray) else value

        return Evidence(**{name: part(value) for name, value in self._columns().items()})

    def uncertain(self) -> Evidence:
        """The rows whose statistic is not known without a label."""
        return self if self.known_zero is None else replace(self.only(~self.known_zero), known_zero=None)
