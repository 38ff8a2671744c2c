"""AIPW: the surrogate everywhere, corrected by weighted labels."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.estimators._difference import difference, residual, weights
from continual.estimators._flaws import probability_flaw
from continual.estimators.base import Estimator, Evidence, Fit


class Aipw(Estimator):
    """mean(f) + weighted mean of (e - f): active statistical inference.

    Robins, Rotnitzky & Zhao 1994; Zrnic & Candes 2024, "Active statistical inference" (arXiv:2403.03208). Valid
    whatever the surrogate; narrow when it is calibrated. `normalise: rows` divides by N as in the paper: exactly
    unbiased, but it pays for the random number of labels and takes missing labels for zeros.
    """

    kind: Literal["aipw"] = Field("aipw", description="Model's expected loss, corrected by weighted labels.")
    weighs: ClassVar[bool] = True
    label: ClassVar[str] = "AIPW"
    needs_surrogate: ClassVar[bool] = True
    normalise: Literal["weights", "rows"] = Field(
        "weights", description="Divide corrections by the sum of weights (stable) or by the rows (exactly unbiased)."
    )

    def flaw(self, evidence: Evidence) -> str | None:
        return super().flaw(evidence) or probability_flaw(evidence)

    def fit(self, evidence: Evidence) -> Fit:
        found = difference(evidence, 1.0)
        if self.normalise == "weights" or evidence.surrogate is None:
            return found
        n, corrected = len(evidence), weights(evidence) * residual(evidence, 1.0)
        value = float(evidence.surrogate.mean() + corrected.sum() / n)
        shares = (evidence.surrogate + corrected - value) / n
        return replace(found, value=value, shares=shares, design=float(np.sum(found.unsure * (corrected / n) ** 2)))
