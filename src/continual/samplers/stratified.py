"""So many labels for each slice: as many for all, in proportion, or as many as are named."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from continual.errors import PolicyError
from continual.samplers._columns import Column, constant
from continual.samplers._designs import shared, united
from continual.samplers._strata import floors, partition, scaled
from continual.samplers.base import Bools, Pool, Reads, Sampler


class Stratified(Sampler):
    """Strata are slices; a row in several belongs to the rarest, a row in none to the rest.

    balanced: every stratum expects the same number of labels (what a small one cannot take goes to the others).
    proportional: every row has the same chance, the drawn numbers follow the sizes of the strata to the row.
    quotas: expected labels of the slices that are named; the rest of the budget is uniform.
    """

    kind: Literal["stratified"] = "stratified"
    design: Literal["poisson", "fixed"] = Field(
        "fixed", description="fixed: exactly the budget, and exactly each stratum's share, is drawn."
    )
    allocation: Literal["balanced", "proportional"] = Field("balanced", description="Without quotas.")
    quotas: dict[str, int] = Field({}, description="Slice -> expected labels.")
    by: str | None = Field(None, description="Column: strata are its slices (`by: carrier`); empty: all slices.")

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"slices"})

    def weigh(self, pool: Pool) -> Column:
        if self.allocation == "proportional":
            return constant(1.0, len(pool))
        stratum = partition(self._slices(pool), len(pool))
        sizes = stratum.counts()
        return stratum.map(lambda s: 1 / sizes[s])

    def parts(self, pool: Pool, budget: float) -> dict[str, Column]:
        if not self.quotas:
            return {self.kind: shared(self.weigh(pool), budget)}
        self._check_names(pool.slices)
        quota = scaled(floors(pool.slices, self.quotas, len(pool)), 0.9 * budget)  # a tenth stays for everybody else
        rest = shared(constant(1.0, len(pool)), budget - quota.total())
        return united({"quota": quota}, {"uniform": rest}, budget)

    def strata(self, pool: Pool) -> Column | None:
        return partition(self._slices(pool), len(pool))

    def _slices(self, pool: Pool) -> Mapping[str, Bools]:
        if self.by is None:
            return {name: pool.slices[name] for name in self.quotas if name in pool.slices} or pool.slices
        own = {name: inside for name, inside in pool.slices.items() if name.startswith(f"{self.by}=")}
        if pool.slices and not own:
            raise _unknown(f"{self.by}=...", pool.slices)
        return own

    def _check_names(self, slices: Mapping[str, Bools]) -> None:
        """A value that did not come is no mistake, a slice nobody defined is."""
        defined = {name.partition("=")[0] for name in slices}
        for name in self.quotas:
            if slices and name.partition("=")[0] not in defined:
                raise _unknown(name, slices)


def _unknown(name: str, slices: Mapping[str, Bools]) -> PolicyError:
    near = difflib.get_close_matches(name, slices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return PolicyError(
        "sampler: strata must be slices of the policy.",
        f"{name!r}.",
        f"{hint}The slices are: {', '.join(sorted(slices)[:20])}.",
    )
