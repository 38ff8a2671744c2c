"""How much the share of missing values changed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from continual.core.histogram import Distribution
from continual.distances.base import Distance, Floats, Side


class MissingRate(Distance):
    """|share missing now - share missing in the reference|, in [0, 1]; for numbers NaN and infinite are missing."""

    kind: Literal["missing_rate"] = Field("missing_rate", description="Change of the share of missing values.")

    def view(self, side: Distribution) -> Side:
        counts, square = (
            np.stack([matrix[:, :-1].sum(axis=1), matrix[:, -1]], axis=1) for matrix in (side.counts, side.square)
        )
        return Side(counts, square)

    def size(self, reference: Side, current: Side, x: Floats, y: Floats) -> Floats:
        return np.asarray(np.abs((x - y)[:, 1]))
