"""The default: labels that teach, that compare candidates and that measure, each with a known chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from continual.samplers._columns import CHUNK, Column, constant, kept
from continual.samplers._designs import shared, united
from continual.samplers._rival import Said, differ, is_number
from continual.samplers._scores import Believed, floored, rows
from continual.samplers._strata import floors, scaled
from continual.samplers.base import Floats, Pool, Reads, Sampler
from continual.samplers.uncertainty import Uncertainty


class ActiveSampler(Sampler):
    """pi = 1 - (1 - floor)(1 - disagreement)(1 - uncertainty).

    floor: every slice expects `slice_floor` labels, or as many as the last verdict needs, at most half the budget.
    disagreement: 40% of the rest, uniform on rows where champion and candidate differ (of numbers: by how much).
    uncertainty: 60% on .7/n + .3 sqrt(c(1-c)) / sum, c = calibrated P(the champion is right). What a component cannot
    use or saves by overlapping, the others get. Without a candidate, the rest is all uncertainty; without a champion,
    and for numbers, that is uniform. A smaller uniform share (`uncertainty` has .3) estimates one model a little better
    and costs what is trained on the labels up to half a point (docs/results/label_frontier.md).
    """

    kind: Literal["active"] = "active"
    slice_floor: int = Field(30, ge=0, description="Labels every slice can expect; fewer say nothing of it.")
    disagreement_share: float = Field(0.4, ge=0, lt=1, description="Share of the rest where two models differ.")
    uniform_share: float = Field(0.7, gt=0, le=1, description="Uniform share of the uncertainty component.")
    chunk: int = Field(CHUNK, ge=1, description="Rows scored at a time; bounds memory.")

    @property
    def reads(self) -> frozenset[Reads]:
        rival: frozenset[Reads] = frozenset({"rival"} if self.disagreement_share else ())
        return rival | {"model", "slices", "needed"}

    def weigh(self, pool: Pool) -> Column:
        return floored(self._scan(pool)[0], self.uniform_share)

    def parts(self, pool: Pool, budget: float) -> dict[str, Column]:
        wanted = {name: float(max(self.slice_floor, pool.needed.get(name, 0))) for name in pool.slices}
        floor = scaled(floors(pool.slices, wanted, len(pool)), 0.5 * budget)
        rest = budget - floor.total()
        spread, apart = self._scan(pool)
        share = self.disagreement_share if apart.any() else 0.0
        weights = floored(spread, self.uniform_share) if spread.any() else constant(1.0, len(pool))
        free = {"uncertainty": shared(weights, (1 - share) * rest)}
        if share:
            free["disagreement"] = shared(apart, share * rest)
        return united({"slice_floor": floor} if floor.any() else {}, free, budget)

    def _scan(self, pool: Pool) -> list[Column]:
        """(n,) sqrt(c(1-c)) and (n,) disagreement, 0 where nothing is known; each model reads each chunk once."""
        if pool.model is None:
            return [constant(0.0, len(pool))] * 2
        return kept(len(pool), lambda part: self._measured(pool, part), width=2, size=self.chunk)

    def _measured(self, pool: Pool, part: slice) -> tuple[Floats, Floats]:
        features, answers = rows(pool.features, part), None
        spread, apart = np.zeros(part.stop - part.start), np.zeros(part.stop - part.start)
        if not is_number(pool.model):
            answers = np.asarray(pool.model.predict_proba(features), dtype=np.float64)  # type: ignore[union-attr]
            spread = Uncertainty().measure(Believed(Said(answers), pool.calibration), features)
        if pool.rival is not None and self.disagreement_share:
            apart = differ(pool.model, pool.rival, features, answers)
        return spread, apart
