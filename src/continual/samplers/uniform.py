"""Every row with the same probability: the unbiased baseline."""

from __future__ import annotations

from typing import Literal

from continual.samplers._columns import Column, constant
from continual.samplers.base import Pool, Sampler


class Uniform(Sampler):
    """pi = budget / n."""

    kind: Literal["uniform"] = "uniform"

    def weigh(self, pool: Pool) -> Column:
        return constant(1.0, len(pool))
