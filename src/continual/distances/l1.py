"""Sum of absolute differences of shares."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from continual.core.histogram import Distribution
from continual.distances.base import Distance, Floats, Side, coarse


class L1(Distance):
    """sum |p - q| over values or bins, in [0, 2]: twice the share of rows that would have to move.

    Numeric columns: over `bins` bins with equal shares of the reference and two outside its range.
    """

    kind: Literal["l1"] = Field("l1", description="Sum of absolute differences of shares, in [0, 2].")
    bins: int = Field(10, ge=2, le=100, description="Bins of a numeric column within the range of the reference.")

    def view(self, side: Distribution) -> Side:
        return coarse(side, self.bins)

    def size(self, reference: Side, current: Side, x: Floats, y: Floats) -> Floats:
        return np.asarray(np.abs(x - y).sum(axis=1))
