"""Rows whose answer is spread over the classes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from continual.samplers._informative import Informative
from continual.samplers.base import Floats


class Entropy(Informative):
    """Measure: entropy of the calibrated probabilities in nats, modAL's `classifier_entropy`."""

    kind: Literal["entropy"] = "entropy"

    def measure(self, model: Any, features: Any) -> Floats:
        from modAL.uncertainty import classifier_entropy

        return np.asarray(np.clip(np.asarray(classifier_entropy(model, features), dtype=float), 0, None))
