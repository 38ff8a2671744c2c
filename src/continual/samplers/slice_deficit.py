"""Labels go where the gate said they are missing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from continual.samplers._columns import Column, constant
from continual.samplers._designs import shared, united
from continual.samplers._strata import floors, scaled
from continual.samplers.base import Pool, Reads, Sampler


class SliceDeficit(Sampler):
    """pi = 1 - (1 - deficit)(1 - uniform): slices for which the last verdict needs m_k more labels expect m_k, all of
    them scaled down evenly if the budget is smaller; the rest is uniform. Without a verdict that needs labels: uniform.
    """

    kind: Literal["slice_deficit"] = "slice_deficit"
    uniform_share: float = Field(0.1, gt=0, le=1, description="At least this share of the budget is uniform.")

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"slices", "needed"})

    def weigh(self, pool: Pool) -> Column:
        return floors(pool.slices, pool.needed, len(pool)).map(lambda p: 1 + p)

    def parts(self, pool: Pool, budget: float) -> dict[str, Column]:
        deficit = scaled(floors(pool.slices, pool.needed, len(pool)), (1 - self.uniform_share) * budget)
        rest = shared(constant(1.0, len(pool)), budget - deficit.total())
        return united({"deficit": deficit} if deficit.any() else {}, {"uniform": rest}, budget)
