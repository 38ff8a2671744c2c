"""Uniform floor plus uncertain rows: serves training and evaluation with the same labels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from continual.samplers._informative import Informative
from continual.samplers.base import Floats


class Uncertainty(Informative):
    """pi proportional to share/n + (1 - share) sqrt(c(1-c)) / sum, c = calibrated P(the champion is right).

    c is 1 - modAL's `classifier_uncertainty`. sqrt(c(1-c)) is the Neyman allocation for the error rate (Zrnic & Candes
    2024, "Active statistical inference"); sharper powers ruin the evaluation.
    """

    kind: Literal["uncertainty"] = "uncertainty"

    def measure(self, model: Any, features: Any) -> Floats:
        from modAL.uncertainty import classifier_uncertainty

        doubt = np.asarray(classifier_uncertainty(model, features), dtype=float)
        return np.asarray(np.sqrt(np.clip(doubt * (1 - doubt), 0, None)))  # float32 scores may sum to more than 1
