"""Area under the precision-recall curve: ranking quality where positives are rare."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.metrics._ranking import RankingMetric
from continual.metrics.base import Floats


class PrAuc(RankingMetric):
    """Average precision: mean over the positives of the precision at their score, in [0, 1]; the base rate = chance.

    Steps without interpolation, ties as one step (scikit-learn's average_precision_score; Davis & Goadrich 2006 on
    why not to interpolate). From cells rows of one bin count as tied: about 1e-3 off. Interval: delta method on the
    logit scale (Boyd et al. 2013), clustered by day. Undefined with fewer than 5 labels or 2 rows of a class.
    """

    kind: Literal["pr_auc"] = Field("pr_auc", description="Average precision over the positives, in [0, 1].")
    logit: ClassVar[bool] = True
    how: ClassVar[str] = "average precision"
    how_cells: ClassVar[str] = "binned, approximate to about 1e-3"

    def value_and_gradient(self, table: Floats, center: Floats) -> tuple[Floats, Floats]:
        down = table[:, :, ::-1]
        fp, tp = np.cumsum(down, axis=2).transpose(1, 0, 2)
        positives, both = tp[:, -1:], np.where(tp + fp > 0, tp + fp, 1.0)
        precision = tp / both
        value = np.sum(down[:, 1] * precision, axis=1) / positives[:, 0]
        # One more row at a score changes the precision there and at every lower score.
        less = _from_below(down[:, 1] * fp / both**2)
        more = _from_below(-down[:, 1] * tp / both**2)
        slope = np.stack([more, precision + less - value[:, None]], axis=1) / positives[:, None]
        return value, slope[:, :, ::-1]


def _from_below(steps: Floats) -> Floats:
    return np.asarray(np.cumsum(steps[:, ::-1], axis=1)[:, ::-1])
