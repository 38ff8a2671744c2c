"""Rows between two classes: the two most probable answers are close."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from continual.samplers._informative import Informative
from continual.samplers.base import Floats


class Margin(Informative):
    """Measure: 1 - (p of the most probable class - p of the next), modAL's `classifier_margin`, in [0, 1].

    Of two classes it is twice the doubt, sharper than `uncertainty`: more for training, wider evaluation.
    """

    kind: Literal["margin"] = "margin"

    def measure(self, model: Any, features: Any) -> Floats:
        from modAL.uncertainty import classifier_margin

        return np.asarray(np.clip(1 - np.asarray(classifier_margin(model, features), dtype=float), 0, 1))
