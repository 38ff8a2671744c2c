"""Logarithmic loss: how surprised the model is by what happened."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.cells import Formula
from continual.core.stats.additive import label_noise
from continual.metrics._losses import ProbabilityLoss, outcome_noise
from continual.metrics.base import Floats

_EPSILON = float(np.finfo(np.float64).eps)


class LogLoss(ProbabilityLoss):
    """Mean of -log(probability of the label), in nats; lower is better; probabilities cut to [eps, 1 - eps].

    Multiclass: the probability of the true class. Interval and paired comparison: t, clustered by day. Undefined with
    fewer than 5 labels or scores outside [0, 1].
    """

    kind: Literal["log_loss"] = Field("log_loss", description="Logarithmic loss of probabilities, in nats.")
    formula: ClassVar[Formula | None] = Formula.SURPRISE

    def loss(self, y: Floats, score: Floats) -> Floats:
        p = _cut(score)
        if score.ndim == 1:
            return np.asarray(-np.log(np.where(y > 0.5, p, 1 - p)))
        return np.asarray(-np.log(p[np.arange(len(y)), y.astype(np.int64)]))

    def noise(self, weight: Floats, candidate: Floats, champion: Floats) -> float:
        if candidate.ndim == 1:
            return label_noise(_logit(candidate) - _logit(champion), weight, candidate, champion)
        return outcome_noise(np.log(_cut(candidate)) - np.log(_cut(champion)), weight, candidate, champion)


def _cut(score: Floats) -> Floats:
    return np.clip(score, _EPSILON, 1 - _EPSILON)


def _logit(score: Floats) -> Floats:
    p = _cut(score)
    return np.asarray(np.log(p) - np.log1p(-p))
