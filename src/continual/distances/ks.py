"""Largest difference of the cumulative shares."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.distances.base import Distance, Floats, Side


class Ks(Distance):
    """max |F - G| of a numeric column, in [0, 1] (Kolmogorov and Smirnov's statistic, without its p-value).

    Looked at on the edges, so that it is too small by at most the share of the fullest bin: a point with the default
    100 bins; exact for columns of at most 100 values. Undefined for categorical columns.
    """

    ordered: ClassVar[bool] = True
    kind: Literal["ks"] = Field("ks", description="Largest difference of the cumulative shares, in [0, 1].")

    def size(self, reference: Side, current: Side, x: Floats, y: Floats) -> Floats:
        return np.asarray(np.abs(np.cumsum(x - y, axis=1)).max(axis=1))
