"""AUC with DeLong's variance in O(n log n), for weighted rows with ties.

DeLong, DeLong & Clarke-Pearson 1988; the fast placement form of Sun & Xu 2014 (IEEE Signal Processing Letters
21:1389). Weighted rows: weighted placements, squared-weight variance (equals DeLong's for equal weights). The
placements are the influence function, so that summing them by day gives Obuchowski's clustered variance (1997).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from continual.core.stats.clustered import Spread

Floats = npt.NDArray[np.float64]


def _placements(score: Floats, against: Floats, weight: Floats) -> Floats:
    """Weighted share of `against` below each score; ties count half."""
    order = np.argsort(against, kind="stable")
    ranked = against[order]
    below = np.concatenate(([0.0], np.cumsum(weight[order])))
    left = below[np.searchsorted(ranked, score, side="left")]
    right = below[np.searchsorted(ranked, score, side="right")]
    return (left + right) / (2 * below[-1])  # type: ignore[no-any-return]


def auc_influence(y: Floats, score: Floats, weight: Floats) -> tuple[float, Floats]:
    """AUC and each row's contribution to its deviation, shape (n,), summing to 0 within each class.

    y: 0/1, both classes present; score: finite reals; weight > 0; all of shape (n,).
    """
    positive = y == 1
    contributions = np.empty(len(y))
    above = _placements(score[positive], score[~positive], weight[~positive])
    below = 1 - _placements(score[~positive], score[positive], weight[positive])
    share = weight[positive] / weight[positive].sum()
    auc = float(np.dot(share, above))
    contributions[positive] = share * (above - auc)
    contributions[~positive] = weight[~positive] / weight[~positive].sum() * (below - auc)
    return auc, contributions


def delong_spread(y: Floats, contributions: Floats) -> Spread:
    """DeLong's standard error from contributions of one AUC, or of the difference of two (contributions subtracted).

    Degrees of freedom by Welch-Satterthwaite over the two classes, since with few positives a normal quantile is
    too narrow. Needs two rows of each class.
    """
    parts = []
    for rows in (contributions[y == 1], contributions[y == 0]):
        k = len(rows)
        parts.append((k / (k - 1) * float(np.sum(rows**2)), k - 1))
    variance = parts[0][0] + parts[1][0]
    if variance <= 1e-30:  # rounding of identical placements
        return Spread(0.0, float(len(y) - 2), 0)
    df = variance**2 / sum(v**2 / k for v, k in parts)
    return Spread(float(np.sqrt(variance)), float(df), 0)
