"""KS: how far apart the scores of the two classes lie."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.metrics._ranking import RankingMetric
from continual.metrics.base import Floats


class Ks(RankingMetric):
    """Largest distance of true and false positive rate over all thresholds, in [0, 1]; 0 = no separation.

    The two-sample Kolmogorov-Smirnov distance in the direction 'positives score higher'. From cells only bin edges
    are thresholds. The largest of many distances is too high by chance. Interval: delta method at the found threshold,
    clustered by day, and lower by that chance part. Undefined with fewer than 5 labels or 2 rows of a class.
    """

    kind: Literal["ks"] = Field("ks", description="Largest distance of true and false positive rate, in [0, 1].")
    how: ClassVar[str] = "largest distance"

    def value_and_gradient(self, table: Floats, center: Floats) -> tuple[Floats, Floats]:
        total = table.sum(axis=2)
        below = np.cumsum(table, axis=2) / total[:, :, None]
        gap = below[:, 0] - below[:, 1]
        at = gap.argmax(axis=1)
        value = np.take_along_axis(gap, at[:, None], axis=1)[:, 0]
        under = np.arange(table.shape[2]) <= at[:, None]
        rates = np.take_along_axis(below, at[:, None, None], axis=2)
        slope = (under[:, None, :] - rates) * np.array([1.0, -1.0])[:, None] / total[:, :, None]
        return np.maximum(value, 0.0), slope

    def optimism(self, table: Floats, center: Floats, weight: Floats) -> Floats:
        # Without separation the mean of the largest value of a Brownian bridge, sqrt(2 pi) / 4; simulated normal
        # classes of 20 to 4,000 rows had at most that, falling about linearly to 0 at full separation.
        value, _ = self.value_and_gradient(table, center)
        noise = np.sqrt(np.sum(weight[:, None] / table.sum(axis=2), axis=1))
        return np.asarray(_BRIDGE * noise * (1 - value))


_BRIDGE = 0.6266570686577501
