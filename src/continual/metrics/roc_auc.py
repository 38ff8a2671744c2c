"""Area under the ROC curve: does the model rank positives above negatives."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.estimate import Comparison, Estimate
from continual.core.label_noise import NoiseTerms
from continual.core.stats.additive import compared
from continual.core.stats.clustered import Spread, clustered_spread
from continual.core.stats.delong import auc_influence, delong_spread
from continual.core.stats.flaws import absent_class, flaw_classes
from continual.metrics._linearised import LinearisedMetric, RowPart
from continual.metrics._ranking import RankingMetric
from continual.metrics.base import Floats, Rows, Task


class RocAuc(RankingMetric):
    """Probability that a random positive row scores above a random negative one, in [0, 1]; .5 = no ranking.

    Interval and paired comparison: DeLong (1988), by days where that is wider (Obuchowski 1997). Multiclass: mean over
    the classes of one class against the rest, from rows only. Undefined with fewer than 5 labels or fewer than 2 rows
    of a class.
    """

    kind: Literal["roc_auc"] = Field("roc_auc", description="Area under the ROC curve (ranking quality), in [0, 1].")
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.BINARY, Task.MULTICLASS})
    logit: ClassVar[bool] = True
    how: ClassVar[str] = "DeLong"

    def flaw(self, rows: Rows, *scores: Floats) -> str | None:
        if scores[0].ndim == 1:
            return super().flaw(rows, *scores)
        return flaw_classes(rows.y, rows.weight, *scores) or absent_class(rows.y, scores[0].shape[1])

    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        why = self.flaw(rows, score)
        if why or score.ndim == 2:
            return super().estimate(rows, score)
        auc, contributions = auc_influence(rows.y, score, rows.weight)
        spread = clustered_spread(contributions, rows.day, delong_spread(rows.y, contributions))
        low, high = _interval(auc, spread, min(rows.y.sum(), len(rows) - rows.y.sum()))
        return Estimate(auc, low, high, rows.n, len(rows), f"DeLong, 95% logit interval, {spread.how}")

    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        why = self.flaw(rows, candidate, champion)
        if why or candidate.ndim == 2:
            return super().compare(rows, candidate, champion)
        new, new_share = auc_influence(rows.y, candidate, rows.weight)
        old, old_share = auc_influence(rows.y, champion, rows.weight)
        share = new_share - old_share
        iid = delong_spread(rows.y, share)
        spread = clustered_spread(share, rows.day, iid) if iid.se else iid
        gain = new - old if abs(new - old) > 1e-12 else 0.0
        return compared(gain, spread, len(rows), f"paired DeLong, {spread.how}", _rarer(rows))

    def noise_terms(self, rows: Rows, candidate: Floats, champion: Floats) -> NoiseTerms:
        total = float(rows.weight.sum())
        return NoiseTerms(positives=float(rows.weight @ rows.y) / total if total else 0.0)

    def of_rows(self, rows: Rows, score: Floats) -> RowPart:
        """Of multiclass rows: the mean of one class against the rest."""
        classes = score.shape[1]
        found = [auc_influence((rows.y == k).astype(float), score[:, k], rows.weight) for k in range(classes)]
        share = np.mean([contributions for _, contributions in found], axis=0)
        trials = np.bincount(rows.y.astype(np.int64), minlength=classes).min()
        value = float(np.mean([auc for auc, _ in found]))
        return RowPart(value, share, rows.weight / rows.weight.sum(), float(trials))

    def spread(self, rows: Rows, share: Floats) -> Spread:
        return LinearisedMetric.spread(self, rows, share)

    def value_and_gradient(self, table: Floats, center: Floats) -> tuple[Floats, Floats]:
        total = table.sum(axis=2, keepdims=True)
        below = (np.cumsum(table, axis=2) - table / 2) / total  # share of each class under a column, ties half
        value = np.sum(table[:, 1] * below[:, 0], axis=1) / total[:, 1, 0]
        slope = np.stack([1 - below[:, 1], below[:, 0]], axis=1) - value[:, None, None]
        return value, slope / total


def _rarer(rows: Rows) -> int:
    return int(min(rows.y.sum(), len(rows) - rows.y.sum()))


def _interval(auc: float, spread: Spread, rarer: float) -> tuple[float, float]:
    """95% interval inside (0, 1), on the logit scale; perfect ranking: the bound of `rarer` trials without a miss."""
    if auc <= 1e-9 or auc >= 1 - 1e-9:
        bound: float = 0.025 ** (1 / rarer)
        return (bound, 1.0) if auc > 0.5 else (0.0, 1 - bound)
    logit, step = math.log(auc / (1 - auc)), spread.half_width / (auc * (1 - auc))
    return 1 / (1 + math.exp(min(step - logit, 700))), 1 / (1 + math.exp(max(-step - logit, -700)))
