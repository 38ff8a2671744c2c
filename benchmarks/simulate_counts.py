"""The real accuracy's comparison from counts by day: what `Accuracy.compare` says of the rows, without the rows.

tests/unit/test_benchmark_simulate.py holds both against each other.
"""

from __future__ import annotations

import math

import numpy as np

from continual.core.estimate import Comparison
from continual.core.stats.additive import compared
from continual.core.stats.clustered import MIN_DAYS, Spread, wider
from continual.core.stats.midp import corrected_spread, midp_harm

Ints = np.ndarray


def comparison(n: Ints, won: Ints, lost: Ints) -> Comparison:
    """n, won, lost: (days,) rows, and those that only the candidate or only the champion gets right."""
    total, b, c = int(n.sum()), int(won.sum()), int(lost.sum())
    mean = (b - c) / total
    by_day = _by_day(n, won - lost, b + c, mean)
    spread = wider(Spread(corrected_spread(b, c, total), total - 1, 0), by_day)
    found = compared(mean, spread, total, f"mid-p binomial, {spread.how}")
    p_harm = midp_harm(b, c)
    if by_day.days and found.p_harm is not None and found.p_harm > p_harm:
        p_harm = found.p_harm
    return Comparison(found.gain, found.se, found.low, found.high, p_harm, total, found.method, found.df, b + c)


def _by_day(n: Ints, gain: Ints, differ: int, mean: float) -> Spread:
    total, days = int(n.sum()), int(np.count_nonzero(n))
    if not differ or abs(mean) == 1:
        return Spread(0.0, total - 1, 0)
    iid = Spread(math.sqrt((differ / total - mean**2) / (total - 1)), total - 1, 0)
    if days < MIN_DAYS:
        return iid
    shares = (gain - mean * n) / total
    return wider(iid, Spread(math.sqrt(days / (days - 1) * float(np.sum(shares**2))), days - 1, days))
