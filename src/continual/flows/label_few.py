"""Exactly as many rows as asked for, where they are so few that a random number would often be none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from continual.samplers._columns import column
from continual.samplers._designs import inclusion_probabilities, keyed_uniform
from continual.samplers._systematic import systematic
from continual.samplers.base import Bools, Floats, Sample

#: Below this a Poisson draw is off by a fifth or more in one of three cases.
FEW = 30
_CERTAIN = 1 - 1e-12


def exactly(sample: Sample, rows: int, free: Bools, keys: Any, seed: int) -> Sample:
    """`sample` with exactly min(rows, free.sum()) of the `free` rows chosen: (n,) all.

    Their chances keep their proportions and sum to `rows`; the other rows keep their chances and their draw. A
    component c becomes 1 - (1 - c)^a, so that together they still make the chance of the row.
    """
    wanted = inclusion_probabilities(sample.probability[free], rows)
    taken = systematic(column(wanted), column(keyed_uniform(keys[free], seed)), None, seed).array()
    chosen, probability = sample.chosen.copy(), sample.probability.copy()
    chosen[free], probability[free] = taken, wanted
    return Sample(chosen, probability, _shared(sample.components, free, wanted))


def _shared(components: Mapping[str, Floats], free: Bools, wanted: Floats) -> dict[str, Floats]:
    """Components of which those of the `free` rows together make the chances `wanted`."""
    missed = {name: np.log1p(-np.minimum(pi, _CERTAIN)) for name, pi in components.items()}
    power = np.ones(len(free))
    power[free] = np.log1p(-np.minimum(wanted, _CERTAIN)) / sum(some[free] for some in missed.values())
    return {name: np.where(free, -np.expm1(power * missed[name]), pi) for name, pi in components.items()}
