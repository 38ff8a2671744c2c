"""Sampling designs: probabilities from weights, their union, and two ways to draw with exactly these probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: Keys hashed at a time.
KEYS = 200_000


def inclusion_probabilities(weights: Floats, budget: float) -> Floats:
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


def union(parts: Iterable[Floats]) -> Floats:
    """1 - prod_j (1 - pi_j): the chance that at least one of independent draws takes a row. parts: each (n,)."""
    first, *others = parts
    if not others:
        return first
    left_out = 1 - first
    for pi in others:
        left_out = left_out * (1 - pi)
    return np.asarray(1 - left_out)


def united(given: Mapping[str, Floats], free: Mapping[str, Floats], budget: float) -> dict[str, Floats]:
    """`given` and `free`, the latter all multiplied by one number (and capped at 1) so that the union sums to `budget`:
    what the overlap of components saves is redistributed.

    given, free: component -> (n,) inclusion probabilities that together sum to at most the budget. The sum of the
    union is concave in the number, so Newton's steps from below reach it without overshooting.
    """
    kept = np.ones(len(next(iter(free.values()))))
    for pi in given.values():
        kept = kept * (1 - pi)
    scale = 1.0
    for _ in range(60):
        out, slope = kept.copy(), np.zeros(len(kept))
        for pi in free.values():
            out *= 1 - np.minimum(1, scale * pi)
        missing = budget - (len(kept) - out.sum())
        if missing <= 1e-10 * budget:
            break
        for pi in free.values():
            below = scale * pi < 1
            slope[below] += pi[below] / (1 - scale * pi[below])
        steep = float((out * slope).sum())
        if steep <= 0:
            break  # every row that can be drawn is certain
        scale += missing / steep
    return {**given, **{name: np.minimum(1, scale * pi) for name, pi in free.items()}}


def keyed_uniform(keys: npt.NDArray[Any], seed: int) -> Floats:
    """(n,) numbers in [0, 1), a fixed function of (key, seed): a re-run draws the same rows.

    keys: (n,) record keys, compared as text. seed: in [0, 2^64).
    """
    import pandas as pd

    salt, out = f"{seed:016x}", np.empty(len(keys))
    for start in range(0, len(keys), KEYS):  # as Python objects all keys of a large pool would fill the memory
        part = np.asarray(keys[start : start + KEYS], dtype=object)
        hashed = pd.util.hash_array(part, hash_key=salt, categorize=False)
        out[start : start + KEYS] = (hashed >> np.uint64(11)).astype(float) / float(1 << 53)
    return out


def systematic(
    probability: Floats, uniform: Floats, strata: npt.NDArray[np.int64] | None, seed: int
) -> npt.NDArray[np.bool_]:
    """(n,) rows of a sample of fixed size sum(pi) with exactly these inclusion probabilities.

    Randomised systematic sampling (Madow 1949; Hartley & Rao 1962): rows in random order, or by stratum and in random
    order inside, probabilities laid end to end on a line, one row at every whole step from a random start. A row of
    length pi holds a step with chance pi whatever the order. Inside strata the number is sum(pi) of the stratum up or
    down to a whole one. probability, uniform, strata: (n,); uniform: of `keyed_uniform`.
    """
    order = np.argsort(uniform, kind="stable") if strata is None else np.lexsort((uniform, strata))
    ends = np.cumsum(probability[order])
    whole = np.round(ends[-1])
    if abs(ends[-1] - whole) < 1e-6:
        ends *= whole / ends[-1]  # rounding must not cost a row
    start = np.random.default_rng([seed, 0x5A11]).random()
    steps = np.floor(ends + start)
    chosen = np.zeros(len(probability), dtype=bool)
    chosen[order] = np.diff(steps, prepend=np.floor(start)) > 0
    return chosen
