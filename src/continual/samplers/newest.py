"""Newer rows more often: the world moved, and a label of today says more about tomorrow."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import numpy as np
from pydantic import Field

from continual.core.duration import Duration
from continual.samplers._columns import Column, Values, chunks, constant
from continual.samplers._scores import floored
from continual.samplers.base import Pool, Reads, Sampler


class Newest(Sampler):
    """pi proportional to share/n + (1 - share) 2^(-age / half_life) / sum, age against the newest row of the pool."""

    kind: Literal["newest"] = "newest"
    half_life: Duration = Field(
        timedelta(days=7), gt=timedelta(0), description="A row this much older counts half as much."
    )
    uniform_share: float = Field(0.1, gt=0, le=1, description="Share drawn uniformly; keeps every pi above zero.")

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"event_time"})

    def weigh(self, pool: Pool) -> Column:
        if pool.event_time is None:
            return constant(1.0, len(pool))
        times = pool.event_time
        newest = max((times[part].max() for part in chunks(len(pool))), default=None)

        def decayed(part: slice) -> Values:
            age = (newest - times[part]) / np.timedelta64(self.half_life)
            return np.asarray(np.exp2(-age.astype(float)))

        return floored(Column(len(pool), decayed), self.uniform_share)
