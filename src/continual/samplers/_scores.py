"""What models say about a pool, a chunk of rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from continual.samplers._columns import CHUNK, Column, constant, kept
from continual.samplers.base import Calibration, Floats, Pool


def by_chunk(pool: Pool, read: Callable[[Any], Any], size: int = CHUNK) -> Column:
    """(n,) of `read`, which turns a chunk of features (m, d) into (m,) numbers; it is called once for each."""

    def measured(part: slice) -> list[Floats]:
        return [np.asarray(read(rows(pool.features, part)), dtype=float)]

    return kept(len(pool), measured, size=size)[0]


def rows(features: Any, part: slice) -> Any:
    """Rows of a table or array, by position."""
    return features.iloc[part] if hasattr(features, "iloc") else features[part]


class Believed:
    """A fitted classifier whose probabilities can be believed; modAL's measures read it like any other."""

    def __init__(self, model: Any, calibration: Calibration | None) -> None:
        self.model, self.calibration = model, calibration

    def predict_proba(self, features: Any) -> Floats:
        """(m, K) of `features` (m, d)."""
        found = np.asarray(self.model.predict_proba(features), dtype=float)
        return found if self.calibration is None else np.asarray(self.calibration(found), dtype=float)


def floored(weights: Column, uniform_share: float) -> Column:
    """share / n + (1 - share) w / sum(w), (n,): no row is beyond reach, so that every estimate stays possible."""
    total = weights.total(_sum)
    flat = 1.0 / max(len(weights), 1)
    if total == 0:
        return constant(flat, len(weights))
    return weights.map(lambda w: uniform_share * flat + (1 - uniform_share) * w / total)


def _sum(weights: Floats) -> float:
    total = float(weights.sum())
    if not np.isfinite(total) or (weights < 0).any():
        raise ValueError("weights must be finite, non-negative and not all zero")
    return total
