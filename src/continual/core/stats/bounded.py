"""Intervals of values that live in a range: they stay inside, and rows that are all alike are no certainty."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def cut_interval(
    value: Floats, half: Floats, lower: float, upper: float, trials: Floats | float = np.inf
) -> tuple[Floats, Floats]:
    """value -/+ half cut to [lower, upper]; all arrays (S,).

    trials: independent rows behind a value without spread, inf = no bound. Without spread in a finite range the
    one-sided 97.5% binomial bound of that many trials without the other outcome stands in for it.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        slack = (upper - lower) * (1 - 0.025 ** (1 / np.maximum(trials, 1.0))) if np.isfinite(upper - lower) else 0.0
    half = np.where(half == 0, slack, half)
    return np.maximum(value - half, lower), np.minimum(value + half, upper)


def logit_interval(value: Floats, half: Floats, trials: Floats | float = np.inf) -> tuple[Floats, Floats]:
    """95% interval of a share on the logit scale, so that it stays inside (0, 1) and is honest near the ends."""
    edge = (value <= 1e-9) | (value >= 1 - 1e-9) | (half == 0)
    low, high = cut_interval(value, np.where(edge, 0.0, half), 0.0, 1.0, trials)
    inner = np.clip(value, 1e-9, 1 - 1e-9)
    logit, step = np.log(inner / (1 - inner)), half / (inner * (1 - inner))
    below = 1 / (1 + np.exp(np.clip(step - logit, -700, 700)))
    above = 1 / (1 + np.exp(np.clip(-step - logit, -700, 700)))
    return np.where(edge, low, below), np.where(edge, high, above)
