"""Several samplers at once, each with a share of the budget, above a uniform floor."""

from __future__ import annotations

from itertools import count
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from continual.core.family import InFamily
from continual.samplers._columns import Column, column, constant, together
from continual.samplers._designs import shared, union, united
from continual.samplers.base import SAMPLERS, Pool, Reads, Sampler


class Component(BaseModel):
    """A sampler and its weight in the mixture; its own budget and design are not read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    share: float = Field(gt=0, description="Part of what the uniform floor leaves, relative to the other components.")
    sampler: Annotated[Sampler, InFamily(SAMPLERS)]


class Mixture(Sampler):
    """pi_i = 1 - prod_j (1 - pi_ij) over the components and the uniform floor. What they save by overlapping is
    redistributed, so that sum(pi) is the budget."""

    kind: Literal["mixture"] = "mixture"
    components: list[Component] = Field(min_length=1, description="Samplers with their shares.")
    uniform_share: float = Field(0.2, gt=0, lt=1, description="Share of the budget that is drawn uniformly.")

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset().union(*(c.sampler.reads for c in self.components))

    @property
    def tasks(self) -> frozenset[str]:
        return super().tasks.intersection(*(c.sampler.tasks for c in self.components))

    def weigh(self, pool: Pool) -> Column:
        return together(lambda *pis: union(pis), *self.parts(pool, max(1.0, len(pool) / 2)).values())

    def parts(self, pool: Pool, budget: float) -> dict[str, Column]:
        free: dict[str, Column] = {"uniform": shared(constant(1.0, len(pool)), self.uniform_share * budget)}
        total = sum(c.share for c in self.components)
        for part in self.components:
            share = (1 - self.uniform_share) * budget * part.share / total
            for name, pi in part.sampler.parts(pool, share).items():
                free[_new(name if name == part.sampler.kind else f"{part.sampler.kind} {name}", free)] = column(pi)
        return united({}, free, budget)


def _new(name: str, known: dict[str, Column]) -> str:
    """A component may be there twice, with other parameters."""
    return next(n for i in count(1) if (n := name if i == 1 else f"{name} {i}") not in known)
