"""Sampling designs: probabilities from weights, their union, and two ways to draw with exactly these probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.samplers._columns import Column, column, together

Floats = npt.NDArray[np.float64]
#: Keys hashed at a time.
KEYS = 200_000


def inclusion_probabilities(weights: Floats, budget: float) -> Floats:
    """`shared`, of weights in memory: (n,) -> (n,).

    Raises
    ------
    ValueError: as `shared`.
    """
    return np.asarray(shared(np.asarray(weights, dtype=float), budget).array(), dtype=float)


def shared(weights: Column | Floats, budget: float) -> Column:
    """pi_i = min(1, c w_i) with sum(pi) = min(budget, n); the capped excess is redistributed.

    Raises
    ------
    ValueError: a weight is negative or not finite, or all are zero.
    """
    found = column(weights)
    left, cap = min(budget, found.total(_positive)), np.inf
    if not left:
        raise _no_weights()
    while True:
        base, scale = _scale(found, left, cap)
        if scale < 1:
            break
        over = [w[(w < cap) & (np.minimum(w, base) / base * scale >= 1)] for _, w in found.chunks()]
        left -= sum(len(w) for w in over)
        cap = min(float(w.min(initial=np.inf)) for w in over)
    return found.map(lambda w: np.where(w >= cap, 1.0, np.minimum(w, base) / base * scale))


def _scale(weights: Column, left: float, cap: float) -> tuple[float, float]:
    """(base, c) such that c w / base sums to `left` over the weights below the cap; their largest is the base, since
    sums of the weights themselves may overflow. c = 0: every row that can be drawn is certain."""
    base = max((float(w[w < cap].max(initial=0)) for _, w in weights.chunks()), default=0.0)
    if base == 0:
        return 1.0, 0.0
    return base, left / sum(float((w[w < cap] / base).sum()) for _, w in weights.chunks())


def _positive(weights: Floats) -> int:
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise _no_weights()
    return int(np.count_nonzero(weights))


def _no_weights() -> ValueError:
    return ValueError("weights must be finite, non-negative and not all zero")


def union(parts: Iterable[Floats]) -> Floats:
    """1 - prod_j (1 - pi_j): the chance that at least one of independent draws takes a row. parts: each (n,)."""
    first, *others = parts
    if not others:
        return first
    return np.asarray(1 - reduce(lambda left, pi: left * (1 - pi), others, 1 - first))


def united(
    given: Mapping[str, Column | Floats], free: Mapping[str, Column | Floats], budget: float
) -> dict[str, Column]:
    """`given` and `free`, the latter all multiplied by one number (and capped at 1) so that the union sums to `budget`:
    what the overlap of components saves is redistributed.

    given, free: component -> (n,) inclusion probabilities that together sum to at most the budget. The sum of the
    union is concave in the number, so Newton's steps from below reach it without overshooting.
    """
    fixed, spare = ({name: column(pi) for name, pi in some.items()} for some in (given, free))
    scale = 1.0
    for _ in range(60):
        missing, steep = _step([*fixed.values()], [*spare.values()], scale, budget)
        if missing <= 1e-10 * budget or steep <= 0:  # steep: every row that can be drawn is certain
            break
        scale += missing / steep
    return {**fixed, **{name: pi.map(lambda p: np.minimum(1, scale * p)) for name, pi in spare.items()}}


def _step(fixed: list[Column], free: list[Column], scale: float, budget: float) -> tuple[float, float]:
    """What the union lacks to the budget, and its slope in `scale`."""
    taken = steep = 0.0
    everything = together(lambda *parts: np.stack(parts), *fixed, *free)
    for _, parts in everything.chunks():
        kept, own = (1 - parts[: len(fixed)]).prod(axis=0), parts[len(fixed) :]
        out = kept * (1 - np.minimum(1, scale * own)).prod(axis=0)
        below = scale * own < 1
        slope = np.where(below, own / np.where(below, 1 - scale * own, 1), 0).sum(axis=0)
        taken += float((1 - out).sum())
        steep += float((out * slope).sum())
    return budget - taken, steep


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
