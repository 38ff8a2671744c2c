"""Lift: how much richer in positives the highest scores are."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.metrics._ranking import RankingMetric
from continual.metrics.base import Floats

#: The positive rate at the boundary is taken from this share of the rows around it, at least.
_AROUND = 0.05


class Lift(RankingMetric):
    """Rate of positives among the `share` highest scores, over the rate among all rows; 1 = chance, at most 1/share.

    Rows tied at the boundary count in part. Interval: delta method with the boundary as an estimated quantile, cut to
    its range, clustered by day. From cells a bin is tied. Undefined with fewer than 5 labels or 2 rows of a class.
    """

    kind: Literal["lift"] = Field("lift", description="Positives among the highest scores, times the base rate.")
    share: float = Field(0.1, gt=0, lt=1, description="Share of rows with the highest scores that are looked at.")
    how: ClassVar[str] = "ratio of rates"

    @property
    def name(self) -> str:
        return self.kind if self.share == 0.1 else f"{self.kind}@{self.share:g}"

    def interval(self, value: Floats, half: Floats, trials: Floats) -> tuple[Floats, Floats]:
        low, high = super().interval(value * self.share, half * self.share, trials)
        return low / self.share, np.minimum(high / self.share, 1 / self.share)

    def value_and_gradient(self, table: Floats, center: Floats) -> tuple[Floats, Floats]:
        rows, q = table.sum(axis=1), self.share
        top = rows[:, ::-1].cumsum(axis=1)[:, ::-1]
        total, positives = top[:, :1], table[:, 1].sum(axis=1, keepdims=True)
        # Part of each column that lies in the top share: 1 above the boundary, 0 below it.
        part = np.clip((q * total - (top - rows)) / np.where(rows > 0, rows, 1.0), 0.0, 1.0)
        value = np.sum(part * table[:, 1], axis=1) / (q * positives[:, 0])
        rate = _rate_at(table, top - rows / 2, q * total, _AROUND * total)
        found = np.stack([np.zeros_like(part), part], axis=1) - (rate * (part - q))[:, None, :]
        slope = found / q
        slope[:, 1] -= value[:, None]
        return value, slope / positives[:, :, None]


def _rate_at(table: Floats, middle: Floats, boundary: Floats, reach: Floats) -> Floats:
    """(S, 1) rate of positives within `reach` of the boundary, and in its own column at least."""
    rows = table.sum(axis=1)
    away = np.where(rows > 0, np.abs(middle - boundary), np.inf)
    near = away <= np.maximum(reach, away.min(axis=1, keepdims=True))
    return np.asarray((np.sum(near * table[:, 1], axis=1) / np.sum(near * rows, axis=1))[:, None])
