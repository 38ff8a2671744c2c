"""How many equally weighted rows weighted ones are worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def effective_size(weight: npt.NDArray[np.float64]) -> float:
    """(sum w)^2 / sum w^2 (Kish 1965), in rows; 0 without any weight."""
    total = float((weight**2).sum())
    return float(weight.sum()) ** 2 / total if total > 0 else 0.0
