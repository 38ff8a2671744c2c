"""What the metrics of numeric predictions share."""

from __future__ import annotations

from typing import ClassVar

from continual.core.cells import ONE
from continual.metrics._moments import MomentMetric
from continual.metrics.base import Task


class RegressionMetric(MomentMetric):
    """Mean of one non-negative per-row error named `term`; lower is better."""

    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REGRESSION})
    lower: ClassVar[float] = 0.0
    term: ClassVar[str] = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (ONE, self.term)
