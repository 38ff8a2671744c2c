"""Invariance: what must not matter does not move the score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from continual.behaviours.base import Behaviour, Measured, Subject, at_share, moves

if TYPE_CHECKING:
    import pandas as pd

#: Without `values` a column is set to each of the values it has, up to this many (the most frequent).
MOST_VALUES = 50


class Invariance(Behaviour):
    """Changing a column moves the score by at most `tolerance` on at least `share` of the rows.

    Exactly one change: `values` (the column is set to each of them; none named = each value it has in the recent
    rows), `swap_with` (exchanged with another column) or `noise` (normal, standard deviation in the column's unit).
    Several classes: the largest move of any. Source: Ribeiro et al. 2020, "Beyond accuracy: CheckList".
    """

    kind: Literal["invariance"] = Field("invariance", description="Changing a column must not move the score.")
    column: str = Field(description="The column that is changed.")
    values: list[str | float | bool] | None = Field(None, description="It is set to each of these; empty: its own.")
    swap_with: str | None = Field(None, description="It is exchanged with this column.")
    noise: float | None = Field(None, gt=0, allow_inf_nan=False, description="Standard deviation of what is added.")
    tolerance: float = Field(ge=0, allow_inf_nan=False, description="Largest move of a score that is tolerated.")
    share: float = Field(1.0, gt=0, le=1, description="Share of the rows that must stay within it.")

    @model_validator(mode="after")
    def _one_change(self) -> Invariance:
        named = [n for n in ("values", "swap_with", "noise") if getattr(self, n) is not None]
        if len(named) > 1:
            raise ValueError(f"name one of values, swap_with and noise, got {' and '.join(named)}")
        if self.values == []:
            raise ValueError("values must name some; leave it out to use every value the column has")
        if self.swap_with == self.column:
            raise ValueError("swap_with must be another column")
        return self

    def default_name(self) -> str:
        how = f" swap {self.swap_with}" if self.swap_with else f" noise {self.noise:g}" if self.noise else ""
        return f"invariance {self.column}{how}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.swap_with) if self.swap_with else (self.column,)

    @property
    def limit(self) -> float:
        return self.tolerance

    def measure(self, subject: Subject) -> Measured:
        before, worst, where = subject.candidate(subject.rows), 0.0, "nothing to change"
        for text, changed in self._changes(subject):
            moved = at_share(moves(subject.candidate(changed), before), self.share)
            if moved >= worst:
                worst, where = moved, text
        rows = f"{self.share:.0%} of {len(before):,} rows"
        says = f"{where} moves {rows} by up to {worst:.4g}, tolerated are {self.tolerance:.4g}"
        return Measured(worst, self.tolerance, says)

    def _changes(self, subject: Subject) -> Iterator[tuple[str, pd.DataFrame]]:
        rows, name = subject.rows, self.column
        if self.swap_with:
            both = {name: rows[self.swap_with], self.swap_with: rows[name]}
            yield f"exchanging {name} and {self.swap_with}", rows.assign(**both)
        elif self.noise:
            added = np.random.default_rng(subject.seed).normal(0, self.noise, len(rows))
            yield f"noise of {self.noise:g} on {name}", rows.assign(**{name: rows[name].astype(float) + added})
        else:
            own = rows[name].value_counts().index[:MOST_VALUES].tolist()
            for value in own if self.values is None else self.values:
                yield f"{name} = {value}", rows.assign(**{name: value})
