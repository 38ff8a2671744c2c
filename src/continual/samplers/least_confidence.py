"""Rows whose best answer is unlikely."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from continual.samplers._informative import Informative
from continual.samplers.base import Floats


class LeastConfidence(Informative):
    """Measure: 1 - calibrated probability of the most probable class, modAL's `classifier_uncertainty`."""

    kind: Literal["least_confidence"] = "least_confidence"

    def measure(self, model: Any, features: Any) -> Floats:
        from modAL.uncertainty import classifier_uncertainty

        return np.asarray(np.clip(np.asarray(classifier_uncertainty(model, features), dtype=float), 0, None))
