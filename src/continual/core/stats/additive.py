"""Estimates and comparisons of metrics that are means of per-row losses."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from continual.core.estimate import Comparison, Estimate
from continual.core.stats.clustered import Days, Spread, weighted_mean, wider
from continual.core.stats.tails import lower_tail, quantile

Floats = npt.NDArray[np.float64]


def mean_estimate(values: Floats, weight: Floats, day: Days, n: int, upper: float = math.inf) -> Estimate:
    """Weighted mean of per-row values in [0, upper] with its 95% interval, cut to that range; shape (n_labelled,)."""
    mean, spread = weighted_mean(values, weight, day)
    low, high = max(mean - spread.half_width, 0.0), min(mean + spread.half_width, upper)
    return Estimate(mean, low, high, n, len(values), f"weighted mean, 95% t interval, {spread.how}")


def mean_comparison(gain: Floats, weight: Floats, day: Days, noise: float = 0.0) -> Comparison:
    """Paired t on per-row gains (positive = candidate better), shape (n,), clustered by day.

    noise: standard error that the labels alone must give (see `label_noise`); the spread is never below it.
    """
    mean, spread = weighted_mean(gain, weight, day)
    spread = wider(spread, Spread(noise, len(gain) - 1, 0))
    return compared(mean, spread, len(gain), f"paired t, {spread.how}")


def label_noise(slope: Floats, weight: Floats, *scores: Floats) -> float:
    """Standard error of a mean loss difference that comes from the labels alone, if either model is calibrated.

    slope: per row, loss difference with label 1 minus that with label 0, shape (n,). In a small slice whose rows
    happen to have one label the observed spread is near 0 although the next label may turn the result: the null
    hypothesis 'the candidate is right' gives this much spread by itself.
    """
    share = (weight * slope / weight.sum()) ** 2
    return max(math.sqrt(float(np.dot(share, score * (1 - score)))) for score in scores)


def compared(gain: float, spread: Spread, n: int, method: str, k: int | None = None) -> Comparison:
    """A comparison from a gain and its spread; without spread by the sign test on `k` rows (default n).

    Equal scores on every row: gain 0, se 0, p_harm .5.
    """
    se: float = spread.se
    df: float | None = spread.df
    if se == 0.0 and gain != 0.0:  # every row says the same: 2^-k is the chance of that without a difference
        se, df = abs(gain) / -quantile(0.5 ** min(n if k is None else k, 1000), None), None
        method = f"sign test, every row alike ({method})"
    half = quantile(0.975, df) * se if se else 0.0
    p_harm = lower_tail(gain / se, df) if se else 0.5
    return Comparison(gain, se, gain - half, gain + half, p_harm, n, method, df if se else None)
