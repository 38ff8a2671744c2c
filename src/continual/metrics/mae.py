"""Mean absolute error: how far predictions are off, on average."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.metrics._moments import ones
from continual.metrics._regression import RegressionMetric
from continual.metrics.base import Floats, Rows


class Mae(RegressionMetric):
    """Weighted mean of |prediction - label|, in the label's unit, from 0; lower is better.

    Interval and paired comparison: t, clustered by day. Undefined with fewer than 5 labels.
    """

    kind: Literal["mae"] = Field("mae", description="Mean absolute error, in the label's unit.")
    term: ClassVar[str] = "absolute_error"

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        return {**ones(rows), self.term: np.abs(score - rows.y)}
