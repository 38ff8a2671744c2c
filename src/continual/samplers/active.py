"""The default: labels that teach, that compare candidates and that measure, each with a known chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from continual.samplers._designs import inclusion_probabilities, united
from continual.samplers._rival import Said, differ, is_number
from continual.samplers._scores import CHUNK, Believed, chunks, floored, rows
from continual.samplers._strata import floors
from continual.samplers.base import Floats, Pool, Reads, Sampler
from continual.samplers.uncertainty import Uncertainty


class ActiveSampler(Sampler):
    """pi = 1 - (1 - floor)(1 - disagreement)(1 - uncertainty).

    floor: every slice expects `slice_floor` labels, or as many as the last verdict needs, at most half the budget.
    disagreement: 40% of the rest, uniform on rows where champion and candidate differ (of numbers: by how much).
    uncertainty: 60% on .3/n + .7 sqrt(c(1-c)) / sum, c = calibrated P(the champion is right). What a component cannot
    use or saves by overlapping, the others get. Without a candidate, the rest is all uncertainty; without a champion,
    and for numbers, that is uniform.
    """

    kind: Literal["active"] = "active"
    slice_floor: int = Field(30, ge=0, description="Labels every slice can expect; fewer say nothing of it.")
    disagreement_share: float = Field(0.4, ge=0, lt=1, description="Share of the rest where two models differ.")
    uniform_share: float = Field(0.3, gt=0, le=1, description="Uniform share of the uncertainty component.")
    chunk: int = Field(CHUNK, ge=1, description="Rows scored at a time; bounds memory.")

    @property
    def reads(self) -> frozenset[Reads]:
        rival: frozenset[Reads] = frozenset({"rival"} if self.disagreement_share else ())
        return rival | {"model", "slices", "needed"}

    def weigh(self, pool: Pool) -> Floats:
        return floored(self._scan(pool)[0], self.uniform_share)

    def parts(self, pool: Pool, budget: float) -> dict[str, Floats]:
        wanted = {name: float(max(self.slice_floor, pool.needed.get(name, 0))) for name in pool.slices}
        floor = floors(pool.slices, wanted, len(pool))
        floor *= min(1.0, 0.5 * budget / max(floor.sum(), 1e-12))
        rest = budget - float(floor.sum())
        spread, apart = self._scan(pool)
        share = self.disagreement_share if apart.any() else 0.0
        weights = floored(spread, self.uniform_share) if spread.any() else np.ones(len(pool))
        free = {"uncertainty": inclusion_probabilities(weights, (1 - share) * rest)}
        if share:
            free["disagreement"] = inclusion_probabilities(apart, share * rest)
        return united({"slice_floor": floor} if floor.any() else {}, free, budget)

    def _scan(self, pool: Pool) -> tuple[Floats, Floats]:
        """(n,) sqrt(c(1-c)) and (n,) disagreement, 0 where nothing is known; each model reads each chunk once."""
        spread, apart = np.zeros(len(pool)), np.zeros(len(pool))
        rival = pool.rival if self.disagreement_share else None
        if pool.model is None:
            return spread, apart
        for part in chunks(len(pool), self.chunk):
            features, answers = rows(pool.features, part), None
            if not is_number(pool.model):
                answers = np.asarray(pool.model.predict_proba(features), dtype=np.float64)
                spread[part] = Uncertainty().measure(Believed(Said(answers), pool.calibration), features)
            if rival is not None:
                apart[part] = differ(pool.model, rival, features, answers)
        return spread, apart
