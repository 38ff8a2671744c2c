"""What every sampler can do: give each row of a pool its inclusion probability, then draw."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from continual.core.family import Family, Strategy

Floats = npt.NDArray[np.float64]
SAMPLERS = Family("sampler", "continual.samplers")


@dataclass(frozen=True)
class Pool:
    """Rows to choose from. keys: record keys, length n. features: (n, d) table the model reads. model: the
    fitted champion with `predict_proba`, or None before the first one."""

    keys: npt.NDArray[Any]
    features: Any
    model: Any | None

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Sample:
    """chosen: (n,) bool. probability: (n,) inclusion probability in (0, 1] of every row, chosen or not."""

    chosen: npt.NDArray[np.bool_]
    probability: Floats


class Sampler(Strategy):
    """Poisson design: each row is drawn independently with its own recorded probability."""

    family: ClassVar[Family] = SAMPLERS
    #: Whether `weigh` reads `Pool.model`; loading a model costs seconds.
    needs_model: ClassVar[bool] = False
    #: Values of label.task it serves.
    tasks: ClassVar[frozenset[str]] = frozenset({"binary", "multiclass", "regression"})

    budget: int | None = Field(
        None, ge=1, description="Expected number of labelled rows per retrain; none = every row, probability 1."
    )

    @abstractmethod
    def weigh(self, pool: Pool) -> Floats:
        """(n,) non-negative weights; probabilities are proportional to them, capped at 1."""

    def draw(self, pool: Pool, seed: int) -> Sample:
        """Draw with a seed; the draw of a row depends on its key and the seed alone, not on pool order."""
        from continual.samplers._poisson import inclusion_probabilities, keyed_uniform

        if self.budget is None or self.budget >= len(pool):
            return Sample(np.ones(len(pool), dtype=bool), np.ones(len(pool)))
        probability = inclusion_probabilities(self.weigh(pool), self.budget)
        return Sample(keyed_uniform(pool.keys, seed) < probability, probability)
