"""Complete: every row has its label."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from continual.estimators._difference import difference
from continual.estimators._flaws import all_labelled
from continual.estimators.base import Estimator, Evidence, Fit


class Complete(Estimator):
    """Plain mean of all rows, clustered by day (Cameron & Miller 2015); about the window itself it is exact."""

    kind: Literal["complete"] = Field("complete", description="Plain mean; every row must have its label.")
    label: ClassVar[str] = "mean of all rows"

    def flaw(self, evidence: Evidence) -> str | None:
        why = super().flaw(evidence)
        if why or all_labelled(evidence):
            return why
        return f"{len(evidence) - evidence.n_labelled} of {len(evidence)} rows have no label"

    def fit(self, evidence: Evidence) -> Fit:
        return difference(evidence, 0.0)
