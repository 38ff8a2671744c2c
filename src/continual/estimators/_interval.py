"""95% intervals of a mean, kept inside the range of the statistic.

Near an end of the range the symmetric interval covers too seldom: with an error of 2% and 200 labels it covered in 90%
of 2,000 simulated windows, the score interval in 94%. Wilson 1927 with the effective number of labels
p(1-p)/V of Korn & Graubard 1998 and a t quantile.
"""

from __future__ import annotations

import math

import numpy as np

from continual.core.stats.clustered import Spread
from continual.core.stats.tails import quantile
from continual.estimators._difference import Fit

#: However few rows carry an estimate, its interval is not wider than with that many degrees of freedom.
MIN_DF = 4.0


def interval(
    value: float, spread: Spread, lowest: float, highest: float, *, typical: float, at_most: float
) -> tuple[float, float]:
    """Low and high of the mean of a statistic in [lowest, highest]; symmetric t when the range is not finite.

    value: in the range. typical: mean of the labelled statistic, at which `spread` was seen. at_most: cap on the
    effective number of labels, where they show less spread than they may be given credit for; infinite = none.
    """
    if not math.isfinite(highest - lowest):
        return max(value - spread.half_width, lowest), min(value + spread.half_width, highest)
    width = highest - lowest
    p, seen, variance = (value - lowest) / width, (typical - lowest) / width, (spread.se / width) ** 2
    n = at_most
    if variance > 0 and 0 < seen < 1:
        n = min(n, seen * (1 - seen) / variance)
    if math.isinf(n):
        return value, value
    low, high = _wilson(p, n, quantile(0.975, spread.df))
    return lowest + width * low, lowest + width * high


def _wilson(p: float, n: float, t: float) -> tuple[float, float]:
    middle, half = p + t * t / (2 * n), t * math.sqrt(p * (1 - p) / n + t * t / (4 * n * n))
    return max(middle - half, 0.0) / (1 + t * t / n), min((middle + half) / (1 + t * t / n), 1.0)


def shape(fit: Fit, *, window: bool) -> tuple[float, float]:
    """Skewness of the estimate, and the degrees of freedom its variance is known with.

    A few rows of small probability and large loss make an estimate skewed and its variance a guess: with 250 chosen
    labels in a slice the symmetric interval of log-loss covered in 90%, that of AUC in 92% of 1,000 windows. Third
    moment of a Poisson design; degrees of freedom 2 V^2 / Var(V) (Satterthwaite 1946).
    """
    shares, unsure = fit.shares, fit.unsure if window else np.ones(len(fit.shares))
    square = unsure * shares**2
    total, n = float(square.sum()), int(np.count_nonzero(square))
    if total <= 0 or n < 2:
        return 0.0, math.inf
    third = float(np.sum(unsure * (2 * unsure - 1) * shares**3 if window else shares**3))
    excess = float(np.sum(square**2)) - total**2 / n
    return third / total**1.5, max(2 * total**2 / excess, MIN_DF) if excess > 0 else math.inf


def skewed(value: float, spread: Spread, skew: float) -> tuple[float, float]:
    """95% interval without a range, by Hall's monotone transformation of t (Hall 1992, "On the removal of skewness by
    transformation", JRSS B 54:221)."""
    s, t = min(max(skew, -1.0), 1.0), quantile(0.975, spread.df)

    def back(z: float) -> float:
        return z if abs(s) < 1e-6 else 3 / s * (float(np.cbrt(1 + s * (z - s / 6))) - 1)

    return value - spread.se * back(t), value - spread.se * back(-t)
