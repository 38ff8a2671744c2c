"""Poisson sampling: probabilities from weights, and a uniform number per record key."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def inclusion_probabilities(weights: Floats, budget: int) -> Floats:
    """pi_i = min(1, c w_i) with sum(pi) = min(budget, n); the capped excess is redistributed.

    Raises
    ------
    ValueError: a weight is negative or not finite, or all are zero.
    """
    weights = np.asarray(weights, dtype=float)
    if not np.all(np.isfinite(weights)) or np.any(weights < 0) or not weights.any():
        raise ValueError("weights must be finite, non-negative and not all zero")
    pi = np.zeros(len(weights))
    capped = np.zeros(len(weights), dtype=bool)
    left = float(min(budget, int(np.count_nonzero(weights))))
    while True:
        free = ~capped
        largest = weights[free].max(initial=0.0)
        if largest == 0:
            return pi
        share = weights[free] / largest  # sums of the weights themselves may overflow
        pi[free] = share * (left / share.sum())
        over = free & (pi >= 1)
        if not over.any():
            return pi
        pi[over], capped = 1.0, capped | over
        left -= float(np.count_nonzero(over))


def keyed_uniform(keys: npt.NDArray[Any], seed: int) -> Floats:
    """(n,) numbers in [0, 1), a fixed function of (key, seed): a re-run draws the same rows.

    keys: (n,) record keys, compared as text. seed: in [0, 2^64).
    """
    import pandas as pd

    salt = f"{seed:016x}"
    hashed = pd.util.hash_array(np.asarray(keys, dtype=object), hash_key=salt)
    return (hashed >> np.uint64(11)).astype(float) / float(1 << 53)
