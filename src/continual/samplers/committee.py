"""Rows on which several versions do not agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Field

from continual.samplers._columns import CHUNK, Column, constant
from continual.samplers._rival import is_number
from continual.samplers._scores import by_chunk, floored
from continual.samplers.base import Floats, Pool, Reads, Sampler

Measure = Callable[[Any], Floats]


class Committee(Sampler):
    """pi proportional to share/n + (1 - share) d / sum(d), d = modAL's measure of disagreement among the champion and
    the newest other versions (Seung et al. 1992; McCallum & Nigam 1998). Of numbers: standard deviation of the answers.
    With fewer than two members: uniform.
    """

    kind: Literal["committee"] = "committee"
    measure: Literal["vote_entropy", "consensus_entropy", "max_disagreement"] = Field(
        "max_disagreement",
        description="vote_entropy: of the members' answers; consensus_entropy: of their mean probabilities; "
        "max_disagreement: largest Kullback-Leibler divergence of a member from the mean.",
    )
    uniform_share: float = Field(0.3, gt=0, le=1, description="Share drawn uniformly; keeps every pi above zero.")
    chunk: int = Field(CHUNK, ge=1, description="Rows scored at a time; bounds memory.")

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"committee"})

    def weigh(self, pool: Pool) -> Column:
        if len(pool.committee) < 2:
            return constant(1.0, len(pool))
        return floored(by_chunk(pool, self._measure(pool.committee), self.chunk), self.uniform_share)

    def _measure(self, members: tuple[Any, ...]) -> Measure:
        if is_number(members[0]):
            return lambda part: np.std([member.predict(part) for member in members], axis=0)
        from modAL.disagreement import KL_max_disagreement, consensus_entropy, vote_entropy
        from modAL.models import ActiveLearner
        from modAL.models import Committee as Jury

        measures = {
            "vote_entropy": vote_entropy,
            "consensus_entropy": consensus_entropy,
            "max_disagreement": KL_max_disagreement,
        }
        jury = Jury([ActiveLearner(estimator=member) for member in members])
        measure = measures[self.measure]
        return lambda part: np.clip(np.asarray(measure(jury, part), dtype=float), 0, None)
