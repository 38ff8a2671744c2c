"""Mid-p binomial test on discordant rows, and what it could have seen.

b = rows only the candidate gets right, c = rows only the champion gets right. Given b + c, equal models make c
Binomial(b + c, 1/2) (McNemar). Mid-p: Lancaster 1961; Fagerland, Lydersen & Laake 2013 recommend it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from continual.core.stats.tails import Z_POWER_80, quantile

Counts = npt.NDArray[np.int64]

#: From this many rows the normal formula of the minimum detectable regression serves.
EXACT_BELOW = 500
#: z of power .998 per slice: some 50 slices then all pass together in about 9 of 10 runs.
Z_ALL_SLICES = 2.88
#: A candidate worth promoting is assumed this much better when rows are planned.
EXPECTED_GAIN = 0.005


def midp_harm(b: int, c: int) -> float:
    """P(X > c) + P(X = c)/2 for X ~ Binomial(b + c, 1/2): small = the candidate is worse; .5 without discordance."""
    return float(_midp(np.array([b + c]), np.array([c]))[0])


def _midp(m: Counts, c: Counts) -> npt.NDArray[np.float64]:
    from scipy.special import bdtrc

    at_least = np.where(c <= 0, 1.0, bdtrc(np.maximum(c - 1, 0), m, 0.5))
    above = np.where(c >= m, 0.0, bdtrc(np.clip(c, 0, m), m, 0.5))
    return np.where(c > m, 0.0, 0.5 * (at_least + above))


def corrected_spread(b: int, c: int, n: int) -> float:
    """Standard error of (b - c)/n after adding 1/2 to b and c, so that b = c = 0 does not mean certainty."""
    discordance = (b + c + 1) / n
    return math.sqrt(max(discordance - ((b - c) / n) ** 2, discordance / n) / n)


@lru_cache(maxsize=4096)
def minimum_detectable(n: int, discordance: float, alpha: float) -> float | None:
    """Smallest regression (share of rows) that the mid-p test at `alpha` sees with power .80.

    n: rows; discordance: share of rows on which the models differ; alpha: one-sided level per test (already
    divided by the number of tests). Exact below 500 rows, (z_{1-alpha} + .84) sqrt(discordance/n) above. None: not
    even a regression on every row could be seen.
    """
    if n >= EXACT_BELOW:
        return (quantile(1 - alpha, None) + Z_POWER_80) * math.sqrt(discordance / n)
    critical = _critical(n, alpha)
    if _power(n, discordance, 1.0, critical) < 0.8:
        return None
    low, high = 0.0, 1.0
    while high - low > 5e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if _power(n, discordance, middle, critical) >= 0.8 else (middle, high)
    return high


def _critical(n: int, alpha: float) -> Counts:
    """For each number m = 0..n of discordant rows the smallest c that is significant (m + 1: none is)."""
    m = np.arange(n + 1)
    c = np.ceil(m / 2 + quantile(1 - alpha, None) * np.sqrt(m) / 2).astype(np.int64)
    c = np.clip(c + 2, 0, m + 1)
    while True:
        lower = (c > 0) & (_midp(m, c - 1) <= alpha)
        if not lower.any():
            return c
        c = np.where(lower, c - 1, c)


def _power(n: int, discordance: float, effect: float, critical: Counts) -> float:
    from scipy.special import bdtrc, gammaln

    share = min(max(discordance, effect), 1.0)
    m = np.arange(n + 1)
    if share == 1.0:
        chance = (m == n).astype(float)
    else:
        log_choose = gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1)
        chance = np.exp(log_choose + m * math.log(share) + (n - m) * math.log1p(-share))
    against = (1 + effect / share) / 2
    sees = np.where(critical > m, 0.0, bdtrc(np.clip(critical - 1, 0, m), m, against))
    sees = np.where(critical <= 0, 1.0, sees)
    return float(np.dot(chance, sees))


def rows_to_prove(variance: float, margin: float) -> int:
    """Rows that show non-inferiority at `margin` in every one of some 50 slices when the candidate is a bit better.

    variance: per-row variance of the paired difference (for right/wrong the discordance). (z.95 + 2.88)^2 variance /
    (margin + .005)^2: 2,621 at .02 and 542 at .05 for a discordance of 8%.
    """
    return math.ceil((quantile(0.95, None) + Z_ALL_SLICES) ** 2 * variance / (margin + EXPECTED_GAIN) ** 2)
