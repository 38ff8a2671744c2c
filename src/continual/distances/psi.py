"""Population stability index."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.histogram import Distribution
from continual.distances.base import Distance, Floats, Side, coarse


class Psi(Distance):
    """sum (p - q) ln(p / q) over values or bins: Jeffreys' symmetric divergence, >= 0.

    Shares are smoothed by `smoothing` rows in every class on both sides, p = (count + s) / (n + s K) with Kish's
    effective n, so that an empty class is finite and worth what the number of rows says. Under no change about
    (K - 1)(1/n + 1/m), which is returned as `expected`: .1 and .25 as thresholds hold for 10 bins and thousands of
    rows (Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14:89). Interval: on the scale of its root, which
    is a norm near equality.
    """

    power: ClassVar[int] = 2
    kind: Literal["psi"] = Field("psi", description="Population stability index, in nats.")
    bins: int = Field(10, ge=2, le=100, description="Bins of a numeric column within the range of the reference.")
    rows_added: float = Field(0.5, gt=0, le=10, description="Rows added to every class on both sides.")

    def view(self, side: Distribution) -> Side:
        return coarse(side, self.bins)

    def smoothing(self, side: Side) -> float:
        return self.rows_added

    def size(self, reference: Side, current: Side, x: Floats, y: Floats) -> Floats:
        p, q = self._smooth(reference)[0], self._smooth(current)[0]
        same = np.isclose(p, q, rtol=1e-6, atol=0)
        # (p - q) ln(p/q) = (p - q)^2 / logarithmic mean
        ratio = np.log(np.where(same, 2.0, p / q))
        mean = np.where(same, (p + q) / 2, (p - q) / ratio)
        return np.asarray(np.sqrt(((x - y) ** 2 / mean).sum(axis=1)))
