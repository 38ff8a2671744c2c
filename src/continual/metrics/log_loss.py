"""Logarithmic loss: how surprised the model is by what happened."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.estimate import Comparison, Estimate
from continual.core.stats.additive import label_noise, mean_comparison, mean_estimate
from continual.core.stats.flaws import flaw
from continual.metrics.base import Floats, Metric, Rows

_EPSILON = float(np.finfo(np.float64).eps)


class LogLoss(Metric):
    """Mean of -log(probability of the label), in nats; lower is better; probabilities cut to [eps, 1 - eps].

    Interval and paired comparison: t, clustered by day. Undefined with fewer than 5 labels or scores outside [0, 1].
    """

    kind: Literal["log_loss"] = Field("log_loss", description="Logarithmic loss of probabilities, in nats.")
    higher_is_better: ClassVar[bool] = False

    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        why = flaw(rows.y, rows.weight, score, probabilities=True)
        if why:
            return Estimate.undefined(rows.n, len(rows), why)
        return mean_estimate(_loss(rows.y, score), rows.weight, rows.day, rows.n)

    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        why = flaw(rows.y, rows.weight, candidate, champion, probabilities=True)
        if why:
            return Comparison.undefined(len(rows), why)
        noise = label_noise(_logit(candidate) - _logit(champion), rows.weight, candidate, champion)
        gain = _loss(rows.y, champion) - _loss(rows.y, candidate)
        return mean_comparison(gain, rows.weight, rows.day, noise)


def _cut(score: Floats) -> Floats:
    return np.clip(score, _EPSILON, 1 - _EPSILON)


def _loss(y: Floats, score: Floats) -> Floats:
    p = _cut(score)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def _logit(score: Floats) -> Floats:
    p = _cut(score)
    return np.log(p) - np.log1p(-p)
