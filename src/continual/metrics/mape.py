"""Mean absolute percentage error: how far predictions are off, relative to the label."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.cells import ONE
from continual.metrics._linearised import RowPart, Whys, says
from continual.metrics._moments import ones
from continual.metrics._regression import RegressionMetric
from continual.metrics.base import Floats, Rows

_ZERO = "zero_label"


class Mape(RegressionMetric):
    """Weighted mean of |prediction - label| / |label|, a share (0.1 = 10%), from 0; lower is better.

    Interval and paired comparison: t, clustered by day. Undefined with fewer than 5 labels, and if any label is 0:
    the relative error of such a row does not exist.
    """

    kind: Literal["mape"] = Field("mape", description="Mean absolute error relative to the label, as a share.")
    term: ClassVar[str] = "relative_error"

    @property
    def names(self) -> tuple[str, ...]:
        return (ONE, _ZERO, self.term)

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        zero = rows.y == 0
        relative = np.abs(score - rows.y) / np.where(zero, 1.0, np.abs(rows.y))
        return {**ones(rows), _ZERO: zero.astype(float), self.term: np.where(zero, 0.0, relative)}

    def reasons(self, totals: Floats) -> Whys:
        return says(totals[:, 1] > 0, "a label is 0, no error is relative to that", super().reasons(totals))

    def of_rows(self, rows: Rows, score: Floats) -> RowPart:
        zeros = int(np.sum(rows.y == 0))
        if zeros:
            why = f"the label of {zeros} of {len(rows)} rows is 0, no error is relative to that"
            return RowPart(np.nan, rows.weight, rows.weight, why=why)
        return super().of_rows(rows, score)
