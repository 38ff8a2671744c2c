"""What every metric can do: estimate on one model, compare two models on identical rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from continual.core.cells import Carried, Cells
from continual.core.estimate import Comparison, Estimate
from continual.core.family import Family, Strategy
from continual.core.label_noise import NoiseTerms

Floats = npt.NDArray[np.float64]
METRICS = Family("metric", "continual.metrics")


class Task(StrEnum):
    """Kind of label a metric applies to."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


@dataclass(frozen=True)
class Rows:
    """Labelled rows of one slice, all arrays of length n_labelled.

    y: label (binary: 0/1; multiclass: index of the class; regression: the value). weight: importance weight > 0.
    day: integer UTC day number, the cluster of the variance. n: rows of the slice including those without a label.
    columns: logged columns that a metric names in `needs`.
    """

    y: Floats
    weight: Floats
    day: npt.NDArray[np.int64]
    n: int
    columns: Mapping[str, Floats] = field(default_factory=dict)

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

    @property
    def name(self) -> str:
        """Name in tables and reports: the kind, with the parameters that change its meaning (`quantile_loss@0.9`)."""
        return self.kind

    @property
    def needs(self) -> tuple[str, ...]:
        """Logged numeric columns besides label and score that it reads (`Rows.columns`)."""
        return ()

    @abstractmethod
    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        """The metric of one model's scores, with a 95% interval.

        score: (n,) probability of class 1 (binary) or predicted value (regression); (n, K) probabilities (multiclass).
        """

    @abstractmethod
    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        """Paired comparison of two models' scores on the same rows, oriented: positive = candidate better."""

    def noise_terms(self, rows: Rows, candidate: Floats, champion: Floats) -> NoiseTerms | None:
        """What it takes, besides `compare` of the same rows, to take wrong binary labels out of it; None: nothing
        does."""
        return None

    @property
    def sees_through_noise(self) -> bool:
        """Whether wrong labels can be taken out of its comparison."""
        return type(self).noise_terms is not Metric.noise_terms

    def carried(self) -> Carried | None:
        """What cells hold for it; None: it is computed from rows only."""
        return None

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        """Per-row terms named in `carried().terms`, each (n,)."""
        return {}

    def from_cells(self, cells: Cells) -> list[Estimate]:
        """The metric on each of the S slices, the interval clustered by the D days (independent rows where wider)."""
        why = f"{self.kind} is computed from rows, not from cells"
        totals = zip(cells.n.sum(axis=0), cells.n_labelled.sum(axis=0), strict=True)
        return [Estimate.undefined(int(n), int(labelled), why) for n, labelled in totals]

    def compare_cells(self, candidate: Cells, champion: Cells, pair: Cells | None) -> list[Comparison]:
        """`compare` on each of the S slices from cells of identical rows; pair: the terms' differences, when kept."""
        why = f"{self.kind} is compared on rows, not on cells"
        return [Comparison.undefined(int(n), why) for n in candidate.n_labelled.sum(axis=0)]


def carried_by(metrics: Iterable[Metric]) -> Carried:
    """What cells must hold for all of `metrics`: each once, by first mention; thresholds ascend."""
    parts = [part for part in (metric.carried() for metric in metrics) if part is not None]
    terms = dict.fromkeys(term for part in parts for term in part.terms)
    pairs: dict[frozenset[str], tuple[str, str]] = {}
    for product in (product for part in parts for product in part.products):
        pairs.setdefault(frozenset(product), product)
    thresholds = {threshold for part in parts for threshold in part.thresholds}
    counts = any(part.counts for part in parts)
    return Carried(tuple(terms), tuple(pairs.values()), counts, tuple(sorted(thresholds)))
