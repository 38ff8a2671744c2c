"""How far values moved on average, in the column's unit."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.distances.base import Distance, Floats, Side


class EarthMover(Distance):
    """Integral of |F - G| (Wasserstein's distance of order 1) of a numeric column, in the column's unit.

    The rows of a bin stand at their own mean, so that the distance is never below the difference of the means, a shift
    is seen also within a bin, and values outside the range of the reference count with where they are. The noise is of
    the shares only: with heavy tails (t with 3 degrees of freedom, 3,000 rows) `expected` was .8 of the value without
    change and the interval missed 0 in 9%. Undefined for categorical columns: their values have no order and no
    distance.
    """

    ordered: ClassVar[bool] = True
    kind: Literal["earth_mover"] = Field("earth_mover", description="Mean move of a value, in the column's unit.")

    def size(self, reference: Side, current: Side, x: Floats, y: Floats) -> Floats:
        if reference.at is None or current.at is None:
            raise ValueError("earth_mover needs numeric columns")
        at = np.concatenate([reference.at, current.at])
        order = np.argsort(at, kind="stable")
        moved = np.cumsum(np.concatenate([x, -y], axis=1)[:, order], axis=1)[:, :-1]
        return np.asarray(np.abs(moved) @ np.diff(at[order]))
