"""Uniform floor plus uncertain rows: serves training and evaluation with the same labels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.samplers._scores import CHUNK, Believed, by_chunk, floored
from continual.samplers.base import Floats, Pool, Reads, Sampler


class Uncertainty(Sampler):
    """pi proportional to share/n + (1 - share) sqrt(c(1-c)) / sum, c = calibrated P(the champion is right).

    c is 1 - modAL's `classifier_uncertainty` of the calibrated probabilities. sqrt(c(1-c)) is the Neyman allocation
    for the error rate (Zrnic & Candes 2024, "Active statistical inference"); sharper powers ruin the evaluation.
    Without a champion (the first model): uniform.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"binary", "multiclass"})

    kind: Literal["uncertainty"] = "uncertainty"
    uniform_share: float = Field(0.3, gt=0, le=1, description="Share drawn uniformly; keeps every pi above zero.")
    chunk: int = Field(CHUNK, ge=1, description="Rows scored at a time; bounds memory.")

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"model"})

    def weigh(self, pool: Pool) -> Floats:
        if pool.model is None:
            return np.ones(len(pool))
        return floored(by_chunk(pool, self._spread(pool), self.chunk), self.uniform_share)

    def _spread(self, pool: Pool) -> Any:
        from modAL.uncertainty import classifier_uncertainty

        model = Believed(pool.model, pool.calibration)

        def spread(features: Any) -> Floats:
            doubt = np.asarray(classifier_uncertainty(model, features), dtype=float)
            return np.asarray(np.sqrt(np.clip(doubt * (1 - doubt), 0, None)))  # float32 scores may sum to more than 1

        return spread
