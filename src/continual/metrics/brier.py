"""Brier score: mean squared distance between probability and outcome."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.cells import Formula
from continual.core.stats.additive import label_noise
from continual.metrics._losses import ProbabilityLoss, outcome_noise
from continual.metrics.base import Floats


class Brier(ProbabilityLoss):
    """Mean of (probability - label)^2, in [0, 1]; lower is better; ranking and calibration together (Brier 1950).

    Multiclass: the squares summed over the classes, in [0, 2], Brier's original form. Interval and paired comparison:
    t, clustered by day. Undefined with fewer than 5 labels or scores outside [0, 1].
    """

    kind: Literal["brier"] = Field("brier", description="Brier score (squared error of probabilities), in [0, 1].")
    formula: ClassVar[Formula | None] = Formula.SQUARE

    def loss(self, y: Floats, score: Floats) -> Floats:
        if score.ndim == 1:
            return np.asarray((score - y) ** 2)
        own = score[np.arange(len(y)), y.astype(np.int64)]
        return np.asarray(np.sum(score**2, axis=1) - 2 * own + 1)

    def upper_of(self, score: Floats) -> float:
        return float(score.ndim)

    def noise(self, weight: Floats, candidate: Floats, champion: Floats) -> float:
        slope = 2 * (candidate - champion)
        if slope.ndim == 1:
            return label_noise(slope, weight, candidate, champion)
        return outcome_noise(slope, weight, candidate, champion)
