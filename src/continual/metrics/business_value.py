"""Business value: what acting on the model's decisions earns."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from continual.core.cells import ONE
from continual.core.stats.flaws import flaw
from continual.metrics._moments import MomentMetric, ones
from continual.metrics.base import Floats, Rows


class Payoff(BaseModel):
    """What each outcome of a decision is worth, in money; losses are negative."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tp: float = Field(0.0, allow_inf_nan=False, description="Acted, and the label is 1.")
    fp: float = Field(0.0, allow_inf_nan=False, description="Acted, and the label is 0.")
    fn: float = Field(0.0, allow_inf_nan=False, description="Did not act, and the label is 1.")
    tn: float = Field(0.0, allow_inf_nan=False, description="Did not act, and the label is 0.")


class BusinessValue(MomentMetric):
    """Weighted mean worth of a row in money; a row with score >= threshold is acted upon; higher is better.

    Either `payoff` gives the worth of each outcome, or `column` names a logged column that holds what a row earns when
    acted upon (0 when not). Interval and paired comparison: t, clustered by day. Undefined with fewer than 5 labels,
    or where the column is missing or not finite.
    """

    kind: Literal["business_value"] = Field("business_value", description="Mean worth of a row's decision, in money.")
    threshold: float = Field(0.5, gt=0, lt=1, description="Scores at or above this are acted upon.")
    payoff: Payoff | None = Field(None, description="Worth of each outcome (tp, fp, fn, tn).")
    column: str | None = Field(None, min_length=1, description="Logged column: what a row earns when acted upon.")

    @model_validator(mode="after")
    def _one_worth(self) -> Self:
        if (self.payoff is None) == (self.column is None):
            raise ValueError("business_value needs either payoff (worth of tp, fp, fn, tn) or column, and not both")
        return self

    @property
    def name(self) -> str:
        at = "" if self.threshold == 0.5 else f"@{self.threshold:g}"
        return f"{self.kind}{f'_{self.column}' if self.column else ''}{at}"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.column,) if self.column else ()

    @property
    def names(self) -> tuple[str, ...]:
        worth = self.column or ",".join(repr(v) for v in self._table.ravel().tolist())
        return (ONE, f"worth({worth})@{self.threshold!r}")

    def flaw(self, rows: Rows, *scores: Floats) -> str | None:
        if self.column and self.column not in rows.columns:
            return f"column {self.column!r} is not among the logged columns of these rows"
        if self.column and not np.isfinite(rows.columns[self.column]).all():
            return f"column {self.column!r} is not finite on every row"
        return flaw(rows.y, rows.weight, *scores, probabilities=False)

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        acted = score >= self.threshold
        if self.column:
            worth = np.where(acted, rows.columns[self.column], 0.0)
        else:
            worth = self._table[(rows.y == 1).astype(np.int64), acted.astype(np.int64)]
        return {**ones(rows), self.names[1]: np.where(np.isfinite(score), worth, np.nan)}

    @property
    def _table(self) -> Floats:
        """(2, 2) worth by label and decision."""
        worth = self.payoff or Payoff()
        return np.array([[worth.tn, worth.fp], [worth.fn, worth.tp]])
