"""Quantile loss: how good a prediction of a quantile is."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from continual.core.cells import ONE
from continual.metrics._moments import ones
from continual.metrics._regression import RegressionMetric
from continual.metrics.base import Floats, Rows


class QuantileLoss(RegressionMetric):
    """Weighted mean of max(q (label - prediction), (q - 1) (label - prediction)), in the label's unit, from 0.

    Lower is better; the pinball loss of Koenker & Bassett 1978, least at the true q-quantile. Interval and paired
    comparison: t, clustered by day. Undefined with fewer than 5 labels.
    """

    kind: Literal["quantile_loss"] = Field("quantile_loss", description="Pinball loss, in the label's unit.")
    quantile: float = Field(0.5, gt=0, lt=1, description="The quantile that is predicted, between 0 and 1.")

    @property
    def name(self) -> str:
        return self.kind if self.quantile == 0.5 else f"{self.kind}@{self.quantile:g}"

    @property
    def names(self) -> tuple[str, ...]:
        return (ONE, f"pinball@{self.quantile!r}")

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        short = rows.y - score
        return {**ones(rows), self.names[1]: np.maximum(self.quantile * short, (self.quantile - 1) * short)}
