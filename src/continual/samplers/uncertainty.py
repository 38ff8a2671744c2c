"""Uniform floor plus uncertain rows: serves training and evaluation with the same labels."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.samplers.base import Floats, Pool, Sampler


class Uncertainty(Sampler):
    """pi proportional to share/n + (1 - share) sqrt(c(1-c)) / sum, c = confidence of the champion.

    c is 1 - modAL's `classifier_uncertainty`. sqrt(c(1-c)) is the Neyman allocation for the error rate
    (Zrnic & Candes 2024, "Active statistical inference"); sharper powers ruin the evaluation. Without a champion
    (the first model): uniform.
    """

    needs_model: ClassVar[bool] = True
    tasks: ClassVar[frozenset[str]] = frozenset({"binary", "multiclass"})

    kind: Literal["uncertainty"] = "uncertainty"
    uniform_share: float = Field(0.3, gt=0, le=1, description="Share drawn uniformly; keeps every pi above zero.")
    chunk: int = Field(200_000, ge=1, description="Rows scored at a time; bounds memory.")

    def weigh(self, pool: Pool) -> Floats:
        n = len(pool)
        flat = np.full(n, 1.0 / n)
        if pool.model is None:
            return flat
        spread = np.sqrt(self._variance(pool))
        total = spread.sum()
        return flat if total == 0 else self.uniform_share * flat + (1 - self.uniform_share) * spread / total

    def _variance(self, pool: Pool) -> Floats:
        from modAL.uncertainty import classifier_uncertainty

        out = np.empty(len(pool))
        for start in range(0, len(pool), self.chunk):
            part = slice(start, start + self.chunk)
            uncertain = np.asarray(classifier_uncertainty(pool.model, pool.features[part]), dtype=float)
            out[part] = np.clip(uncertain * (1 - uncertain), 0, None)  # float32 scores may sum to more than 1
        return out
