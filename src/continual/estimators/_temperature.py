"""Probabilities of several classes made such that they can be believed: one number fitted on matured labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from continual.estimators._calibrate import PRIOR
from continual.estimators._evidence import Floats

#: Smallest probability, as if the model had never been surer.
LEAST = 1e-6


@dataclass(frozen=True)
class Temperature:
    """p proportional to answer ** slope (temperature scaling, Guo et al. 2017; slope = 1 / temperature)."""

    slope: float = 1.0

    def __call__(self, answers: Floats) -> Floats:
        """(n, K) probabilities from (n, K) answers of a model."""
        scaled = self.slope * np.log(np.clip(answers, LEAST, 1))
        out = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(out / out.sum(axis=1, keepdims=True))


def temperature(answers: Floats, label: npt.NDArray[np.int64], weight: Floats) -> Temperature:
    """Least weighted log-loss over slopes in [0, 5]. answers: (n, K); label: (n,) index of the class; weight: (n,).
    An even chance counts as much as PRIOR labels, so that a handful of labels cannot make a model sure."""
    from scipy.optimize import minimize_scalar

    row, total = np.arange(len(label)), max(float(weight.sum()), 1.0)

    def loss(slope: float) -> float:
        log = np.log(np.maximum(Temperature(slope)(answers), LEAST))
        return -float((weight * (log[row, label] + PRIOR / total * log.mean(axis=1))).sum())

    return Temperature(float(minimize_scalar(loss, bounds=(0.0, 5.0), method="bounded").x))
