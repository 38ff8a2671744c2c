"""95% intervals of a mean, kept inside the range of the statistic.

Near an end of the range the symmetric interval covers too seldom: with an error of 2% and 200 labels it covered in 90%
of 2,000 simulated windows, the score interval in 94%. Wilson 1927 with the effective number of labels
p(1-p)/V of Korn & Graubard 1998 and a t quantile.
"""

from __future__ import annotations

import math

from continual.core.stats.clustered import Spread
from continual.core.stats.tails import quantile


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
