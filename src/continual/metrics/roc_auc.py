"""Area under the ROC curve: does the model rank positives above negatives."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from continual.core.estimate import Comparison, Estimate
from continual.core.stats.additive import compared
from continual.core.stats.clustered import Spread, clustered_spread
from continual.core.stats.delong import auc_influence, delong_spread
from continual.core.stats.flaws import flaw, one_class
from continual.metrics.base import Floats, Metric, Rows


class RocAuc(Metric):
    """Probability that a random positive row scores above a random negative one, in [0, 1]; .5 = no ranking.

    Interval and paired comparison: DeLong (1988), by days where that is wider (Obuchowski 1997). Undefined with
    fewer than 5 labels or fewer than 2 rows of a class.
    """

    kind: Literal["roc_auc"] = Field("roc_auc", description="Area under the ROC curve (ranking quality), in [0, 1].")

    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        why = flaw(rows.y, rows.weight, score, probabilities=False) or one_class(rows.y)
        if why:
            return Estimate.undefined(rows.n, len(rows), why)
        auc, contributions = auc_influence(rows.y, score, rows.weight)
        spread = clustered_spread(contributions, rows.day, delong_spread(rows.y, contributions))
        low, high = _interval(auc, spread, min(rows.y.sum(), len(rows) - rows.y.sum()))
        return Estimate(auc, low, high, rows.n, len(rows), f"DeLong, 95% logit interval, {spread.how}")

    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        why = flaw(rows.y, rows.weight, candidate, champion, probabilities=False) or one_class(rows.y)
        if why:
            return Comparison.undefined(len(rows), why)
        new, new_share = auc_influence(rows.y, candidate, rows.weight)
        old, old_share = auc_influence(rows.y, champion, rows.weight)
        share = new_share - old_share
        iid = delong_spread(rows.y, share)
        spread = clustered_spread(share, rows.day, iid) if iid.se else iid
        gain = new - old if abs(new - old) > 1e-12 else 0.0
        rarer = int(min(rows.y.sum(), len(rows) - rows.y.sum()))
        return compared(gain, spread, len(rows), f"paired DeLong, {spread.how}", rarer)


def _interval(auc: float, spread: Spread, rarer: float) -> tuple[float, float]:
    """95% interval inside (0, 1), on the logit scale; perfect ranking: the bound of `rarer` trials without a miss."""
    if auc <= 1e-9 or auc >= 1 - 1e-9:
        bound: float = 0.025 ** (1 / rarer)
        return (bound, 1.0) if auc > 0.5 else (0.0, 1 - bound)
    logit, step = math.log(auc / (1 - auc)), spread.half_width / (auc * (1 - auc))
    return 1 / (1 + math.exp(min(step - logit, 700))), 1 / (1 + math.exp(max(-step - logit, -700)))
