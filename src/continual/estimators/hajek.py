"""Hajek: labels weighted by 1/pi, nothing else."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from continual.estimators._difference import difference
from continual.estimators._flaws import probability_flaw
from continual.estimators.base import Estimator, Evidence, Fit


class Hajek(Estimator):
    """Weighted mean sum(w e)/sum(w), w = 1/pi; needs no surrogate.

    Hajek 1971; Sarndal, Swensson & Wretman 1992, 5.7. The ratio removes the variance of the sample size that makes
    the unbiased Horvitz-Thompson total useless here; its bias is of the order 1/n. Variance: Taylor linearised.
    """

    kind: Literal["hajek"] = Field("hajek", description="Labels weighted by 1 / probability (Hajek).")
    weighs: ClassVar[bool] = True
    label: ClassVar[str] = "Hajek, weights 1/pi"

    def flaw(self, evidence: Evidence) -> str | None:
        return super().flaw(evidence) or probability_flaw(evidence)

    def fit(self, evidence: Evidence) -> Fit:
        return difference(evidence, 0.0)
