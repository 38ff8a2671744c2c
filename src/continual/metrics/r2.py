"""Coefficient of determination: what a model explains beyond the mean label."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.cells import ONE
from continual.metrics._linearised import RowPart, Whys, says
from continual.metrics._moments import ones
from continual.metrics._regression import RegressionMetric
from continual.metrics.base import Floats, Rows


class R2(RegressionMetric):
    """1 - sum w (prediction - label)^2 / sum w (label - mean label)^2, no unit; 1 = perfect, 0 = the mean label.

    Interval and paired comparison: delta method, t, clustered by day. Undefined with fewer than 5 labels or where all
    labels are equal (from cells: where their spread is below a millionth of their size).
    """

    kind: Literal["r2"] = Field("r2", description="Share of the labels' variance that is explained; 1 = perfect.")
    higher_is_better: ClassVar[bool] = True
    lower: ClassVar[float] = -np.inf
    upper: ClassVar[float] = 1.0
    term: ClassVar[str] = "squared_error"
    how: ClassVar[str] = "1 - ratio of weighted sums"

    @property
    def names(self) -> tuple[str, ...]:
        return (ONE, "label", "squared_label", self.term)

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        return {**ones(rows), "label": rows.y, "squared_label": rows.y**2, self.term: (score - rows.y) ** 2}

    def of_rows(self, rows: Rows, score: Floats) -> RowPart:
        # The same on labels and predictions shifted together, and far from rounding around the mean.
        shift = np.average(rows.y, weights=rows.weight)
        if np.ptp(rows.y) <= 1e-12 * abs(shift):
            return RowPart(np.nan, rows.weight, rows.weight, why=_ALIKE)
        return super().of_rows(Rows(rows.y - shift, rows.weight, rows.day, rows.n, rows.columns), score - shift)

    def reasons(self, totals: Floats) -> Whys:
        alike = _variance(totals) <= 1e-12 * totals[:, 2]
        return says(alike, _ALIKE, super().reasons(totals))

    def value(self, totals: Floats) -> Floats:
        return np.asarray(1 - totals[:, 3] / _variance(totals))

    def gradient(self, totals: Floats) -> Floats:
        spread = _variance(totals)
        mean, lost = totals[:, 1] / totals[:, 0], totals[:, 3] / spread**2
        return np.stack([lost * mean**2, -2 * lost * mean, lost, -1 / spread], axis=1)


_ALIKE = "all labels are equal, there is no variance to explain"


def _variance(totals: Floats) -> Floats:
    """(S,) sum w (label - mean)^2."""
    return np.asarray(totals[:, 2] - totals[:, 1] ** 2 / totals[:, 0])
