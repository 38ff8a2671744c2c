"""Directional expectation: more of this never means less of that."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from continual.behaviours.base import Behaviour, Floats, Measured, Subject, at_share
from continual.errors import ModelUnavailable


class Directional(Behaviour):
    """Raising a column by `delta` does not move the score the wrong way by more than `tolerance`.

    Asked of at least `share` of the rows; rows without a value in the column do not count. Scores of several classes
    have no direction: refused. Source: Ribeiro et al. 2020, "Beyond accuracy: CheckList".
    """

    kind: Literal["directional"] = Field("directional", description="Raising a column must not lower the score.")
    column: str = Field(description="A numeric column.")
    delta: float = Field(allow_inf_nan=False, description="What is added to it, in its unit; negative: taken away.")
    score_must_not: Literal["fall", "rise"] = Field("fall", description="The wrong way.")
    tolerance: float = Field(0.0, ge=0, allow_inf_nan=False, description="Largest wrong move that is tolerated.")
    share: float = Field(0.95, gt=0, le=1, description="Share of the rows that must stay within it.")

    def default_name(self) -> str:
        return f"directional {self.column} {self.delta:+g}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def limit(self) -> float:
        return self.tolerance

    def measure(self, subject: Subject) -> Measured:
        rows = subject.rows[subject.rows[self.column].notna()]
        if rows.empty:
            return Measured(None, self.tolerance, f"could not run: {self.column} has no value in the recent rows")
        before = _one(subject.candidate(rows))
        after = _one(subject.candidate(rows.assign(**{self.column: rows[self.column].astype(float) + self.delta})))
        wrong = before - after if self.score_must_not == "fall" else after - before
        worst = at_share(np.maximum(wrong, 0.0), self.share)
        says = (
            f"{self.column} {self.delta:+g} makes the score {self.score_must_not} by up to {worst:.4g} on "
            f"{self.share:.0%} of {len(rows):,} rows, tolerated are {self.tolerance:.4g}"
        )
        return Measured(worst, self.tolerance, says)


def _one(score: Floats) -> Floats:
    if score.ndim > 1:
        raise ModelUnavailable(
            "A score must be one number to have a direction.",
            f"{score.shape[1]} classes.",
            "use the behaviour `invariance`.",
        )
    return score
