"""What models say about a pool, a chunk of rows at a time: memory is bounded by the chunk, whatever the pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from continual.samplers.base import Calibration, Floats, Pool

#: Rows scored at a time.
CHUNK = 200_000


def chunks(n: int, size: int = CHUNK) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def by_chunk(pool: Pool, read: Callable[[Any], Any], size: int = CHUNK) -> Floats:
    """(n,) of `read`, which turns a chunk of features (m, d) into (m,) numbers."""
    out = np.empty(len(pool))
    for part in chunks(len(pool), size):
        out[part] = np.asarray(read(rows(pool.features, part)), dtype=float)
    return out


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


def floored(weights: Floats, uniform_share: float) -> Floats:
    """share / n + (1 - share) w / sum(w), (n,): no row is beyond reach, so that every estimate stays possible."""
    total = float(weights.sum())
    if not np.isfinite(total) or (weights < 0).any():
        raise ValueError("weights must be finite, non-negative and not all zero")
    flat = np.full(len(weights), 1.0 / max(len(weights), 1))
    return flat if total == 0 else uniform_share * flat + (1 - uniform_share) * weights / total
