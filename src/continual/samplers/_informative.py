"""Samplers that prefer rows by something modAL measures on the champion's calibrated probabilities."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from pydantic import Field

from continual.samplers._columns import CHUNK, Column, constant
from continual.samplers._scores import Believed, by_chunk, floored
from continual.samplers.base import Floats, Pool, Reads, Sampler


class Informative(Sampler):
    """pi proportional to share/n + (1 - share) measure / sum(measure). Without a champion (first model): uniform."""

    uniform_share: float = Field(0.3, gt=0, le=1, description="Share drawn uniformly; keeps every pi above zero.")
    chunk: int = Field(CHUNK, ge=1, description="Rows scored at a time; bounds memory.")

    @property
    def tasks(self) -> frozenset[str]:
        return frozenset({"binary", "multiclass"})

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"model"})

    @abstractmethod
    def measure(self, model: Any, features: Any) -> Floats:
        """(m,) non-negative numbers, larger = asked about sooner. model: classifier; features: (m, d)."""

    def weigh(self, pool: Pool) -> Column:
        if pool.model is None:
            return constant(1.0, len(pool))
        model = Believed(pool.model, pool.calibration)
        return floored(by_chunk(pool, lambda part: self.measure(model, part), self.chunk), self.uniform_share)
