"""Accuracy: share of rows decided right."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from continual.core.estimate import Comparison, Estimate
from continual.core.label_noise import NoiseTerms
from continual.core.stats.additive import compared, mean_comparison, mean_estimate
from continual.core.stats.clustered import Spread, weighted_mean, wider
from continual.core.stats.midp import corrected_spread, midp_harm
from continual.metrics._confusion import ConfusionMetric, decided
from continual.metrics._linearised import Whys
from continual.metrics.base import Floats, Rows


class Accuracy(ConfusionMetric):
    """Weighted share of rows whose decision equals the label, in [0, 1].

    Decision: `score >= threshold` (binary) or the class of the highest score (multiclass). Comparison of equally
    weighted rows: mid-p binomial on the rows only one model gets right, 1/2 added to both counts for the interval; by
    days where that is wider. Rows of unequal weight have no binomial law: paired t, clustered by day. From cells only
    by day. Undefined with fewer than 5 labels.
    """

    kind: Literal["accuracy"] = Field("accuracy", description="Share of right decisions, in [0, 1].")

    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        why = self.flaw(rows, score)
        if why:
            return Estimate.undefined(rows.n, len(rows), why)
        right = self._right(rows, score)
        found = mean_estimate(right, rows.weight, rows.day, rows.n, upper=1.0)
        if right.min() < right.max():
            return found
        # All alike: the observed spread is 0, the bound of n trials without the other outcome is not.
        bound = 0.025 ** (1 / len(rows))
        low, high = (bound, 1.0) if right[0] else (0.0, 1 - bound)
        return Estimate(found.value, low, high, rows.n, len(rows), "weighted mean, 95% binomial bound")

    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        why = self.flaw(rows, candidate, champion)
        if why:
            return Comparison.undefined(len(rows), why)
        gain = self._right(rows, candidate) - self._right(rows, champion)
        if np.ptp(rows.weight) > 1e-9 * rows.weight.max():
            return mean_comparison(gain, rows.weight, rows.day)
        return _unweighted(rows, gain)

    def noise_terms(self, rows: Rows, candidate: Floats, champion: Floats) -> NoiseTerms:
        return NoiseTerms()

    def value_and_gradient(self, table: Floats, center: Floats) -> tuple[Floats, Floats]:
        total = table.sum(axis=(1, 2))
        value = np.trace(table, axis1=1, axis2=2) / total
        return value, (np.eye(table.shape[1]) - value[:, None, None]) / total[:, None, None]

    def trials(self, table: Floats) -> Floats:
        return np.asarray(table.sum(axis=(1, 2)))

    def reasons(self, table: Floats, weight: Floats) -> Whys:
        return [None] * len(table)

    def _right(self, rows: Rows, score: Floats) -> Floats:
        return np.asarray(decided(score, self.threshold) == rows.y, dtype=np.float64)


def _unweighted(rows: Rows, gain: Floats) -> Comparison:
    b, c, n = int(np.sum(gain == 1)), int(np.sum(gain == -1)), len(gain)
    _, by_day = weighted_mean(gain, rows.weight, rows.day)
    spread = wider(Spread(corrected_spread(b, c, n), n - 1, 0), by_day)
    found = compared((b - c) / n, spread, n, f"mid-p binomial, {spread.how}")
    p_harm = midp_harm(b, c)
    # Shared days make the binomial law too sure: then the harm must also show by days.
    if by_day.days and found.p_harm is not None and found.p_harm > p_harm:
        p_harm = found.p_harm
    return Comparison(found.gain, found.se, found.low, found.high, p_harm, n, found.method, found.df, b + c)
