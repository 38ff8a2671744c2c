"""Root mean squared error: like the mean absolute error, but large errors count more."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.metrics._moments import ones
from continual.metrics._regression import RegressionMetric
from continual.metrics.base import Floats, Rows


class Rmse(RegressionMetric):
    """sqrt of the weighted mean of (prediction - label)^2, in the label's unit, from 0; lower is better.

    Interval and paired comparison: delta method, t, clustered by day. Undefined with fewer than 5 labels.
    """

    kind: Literal["rmse"] = Field("rmse", description="Root mean squared error, in the label's unit.")
    term: ClassVar[str] = "squared_error"
    how: ClassVar[str] = "root of the weighted mean"

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        return {**ones(rows), self.term: (score - rows.y) ** 2}

    def value(self, totals: Floats) -> Floats:
        return np.asarray(np.sqrt(super().value(totals)))

    def gradient(self, totals: Floats) -> Floats:
        root = self.value(totals)[:, None]
        # Without any error the root has no derivative, and nothing varies.
        return np.asarray(np.divide(super().gradient(totals), 2 * root, out=np.zeros_like(totals), where=root != 0))
