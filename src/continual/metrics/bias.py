"""Bias: do predictions lie too high or too low on average."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from continual.core.cells import Formula
from continual.metrics._moments import ones
from continual.metrics._regression import RegressionMetric
from continual.metrics.base import Floats, Rows, Task


class Bias(RegressionMetric):
    """Weighted mean of prediction - label, in the label's unit (binary: share); 0 = none, positive = too high.

    The estimate has a sign, the comparison does not: its gain is |bias of the champion| - |bias of the candidate|.
    A floor has no meaning for a value that is best in the middle, and is refused. Interval and paired comparison: t,
    clustered by day. Undefined with fewer than 5 labels.
    """

    kind: Literal["bias"] = Field("bias", description="Mean of prediction - label, in the label's unit; best at 0.")
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REGRESSION, Task.BINARY})
    lower: ClassVar[float] = -np.inf
    term: ClassVar[str] = "error"
    formula: ClassVar[Formula | None] = Formula.ERROR

    @model_validator(mode="after")
    def _no_floor(self) -> Self:
        if self.floor is not None:
            raise ValueError("bias is best at 0 and takes no floor: give it a margin, or a floor to mae or rmse")
        return self

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        return {**ones(rows), self.term: score - rows.y}

    def merit(self, value: Floats) -> tuple[Floats, Floats]:
        return -np.abs(value), np.where(value < 0, 1.0, -1.0)
