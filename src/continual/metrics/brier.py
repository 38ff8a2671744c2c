"""Brier score: mean squared distance between probability and outcome."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from continual.core.estimate import Comparison, Estimate
from continual.core.stats.additive import label_noise, mean_comparison, mean_estimate
from continual.core.stats.flaws import flaw
from continual.metrics.base import Floats, Metric, Rows


class Brier(Metric):
    """Mean of (probability - label)^2, in [0, 1]; lower is better; ranking and calibration together (Brier 1950).

    Interval and paired comparison: t, clustered by day. Undefined with fewer than 5 labels or scores outside [0, 1].
    """

    kind: Literal["brier"] = Field("brier", description="Brier score (squared error of probabilities), in [0, 1].")
    higher_is_better: ClassVar[bool] = False

    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        why = flaw(rows.y, rows.weight, score, probabilities=True)
        if why:
            return Estimate.undefined(rows.n, len(rows), why)
        return mean_estimate((score - rows.y) ** 2, rows.weight, rows.day, rows.n, upper=1.0)

    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        why = flaw(rows.y, rows.weight, candidate, champion, probabilities=True)
        if why:
            return Comparison.undefined(len(rows), why)
        noise = label_noise(2 * (candidate - champion), rows.weight, candidate, champion)
        gain = (champion - rows.y) ** 2 - (candidate - rows.y) ** 2
        return mean_comparison(gain, rows.weight, rows.day, noise)
