"""Rows on which champion and candidate differ: they alone tell which is better."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from continual.samplers._columns import CHUNK, Column, constant
from continual.samplers._rival import disagreement
from continual.samplers._scores import floored
from continual.samplers.base import Pool, Reads, Sampler


class Disagreement(Sampler):
    """pi proportional to share/n + (1 - share) d / sum(d), d = 1 where the two most probable classes differ (numbers:
    their distance). The rival is the challenger, else the candidate of the last verdict; without one: uniform.

    Rows where the two agree contribute exactly 0 to the difference of their errors.
    """

    kind: Literal["disagreement"] = "disagreement"
    uniform_share: float = Field(0.3, gt=0, le=1, description="Share drawn uniformly; keeps every pi above zero.")
    chunk: int = Field(CHUNK, ge=1, description="Rows scored at a time; bounds memory.")

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"model", "rival"})

    def weigh(self, pool: Pool) -> Column:
        found = disagreement(pool, self.chunk)
        return constant(1.0, len(pool)) if found is None else floored(found, self.uniform_share)
