"""Largest difference of any share."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from continual.core.histogram import Distribution
from continual.distances.base import Distance, Floats, Side, coarse


class Linf(Distance):
    """max |p - q| over values or bins, in [0, 1]: the share of the value that changed most.

    Numeric columns: over `bins` bins with equal shares of the reference and two outside its range.
    """

    kind: Literal["linf"] = Field("linf", description="Largest difference of any share, in [0, 1].")
    bins: int = Field(10, ge=2, le=100, description="Bins of a numeric column within the range of the reference.")

    def view(self, side: Distribution) -> Side:
        return coarse(side, self.bins)

    def size(self, reference: Side, current: Side, x: Floats, y: Floats) -> Floats:
        return np.asarray(np.abs(x - y).max(axis=1))
