"""Every row with the same probability: the unbiased baseline."""

from __future__ import annotations

from typing import Literal

import numpy as np

from continual.samplers.base import Floats, Pool, Sampler


class Uniform(Sampler):
    """pi = budget / n."""

    kind: Literal["uniform"] = "uniform"

    def weigh(self, pool: Pool) -> Floats:
        return np.ones(len(pool))
