"""What every metric can do: estimate on one model, compare two models on identical rows."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from continual.core.estimate import Comparison, Estimate
from continual.core.family import Family, Strategy

Floats = npt.NDArray[np.float64]
METRICS = Family("metric", "continual.metrics")


class Task(StrEnum):
    """Kind of label a metric applies to."""

    BINARY = "binary"


@dataclass(frozen=True)
class Rows:
    """Labelled rows of one slice, all arrays of length n_labelled.

    y: label (binary: 0/1). weight: importance weight > 0. day: integer UTC day number, the cluster of the
    variance. n: rows of the slice including those without a label.
    """

    y: Floats
    weight: Floats
    day: npt.NDArray[np.int64]
    n: int

    def __len__(self) -> int:
        return len(self.y)


class Metric(Strategy):
    """A metric and its contract in the policy: who owns it, what it may cost.

    priority: `primary` decides overall superiority (exactly one per policy); `guardrail` may not get worse than
    `margin`, overall and per slice; `report` is shown only. margin: largest tolerated regression, in the
    metric's unit. floor: absolute bound a model must reach overall to serve at all (for `lower_is_better`
    metrics a ceiling); None = no floor.
    """

    family: ClassVar[Family] = METRICS
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.BINARY})

    owner: str = Field(description="Person or team answerable for this metric.")
    priority: Literal["primary", "guardrail", "report"] = Field(
        "report",
        description="`primary` decides overall superiority (exactly one per policy); `guardrail` may not get worse; "
        "`report` is shown only.",
    )
    margin: float = Field(
        0.02,
        ge=0,
        allow_inf_nan=False,
        description="Largest tolerated regression, in the metric's unit.",
    )
    floor: float | None = Field(
        None,
        allow_inf_nan=False,
        description="Absolute bound a model must reach overall to serve at all, in the metric's unit: a minimum, or "
        "a maximum for metrics where lower is better. Empty: no floor.",
    )

    @abstractmethod
    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        """The metric of one model's scores (probabilities for binary), with a 95% interval."""

    @abstractmethod
    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        """Paired comparison of two models' scores on the same rows, oriented: positive = candidate better."""
