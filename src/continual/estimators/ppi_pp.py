"""PPI++: the surrogate trusted as far as the labels bear it out."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.estimate import Estimate
from continual.estimators._difference import difference, residual, weights
from continual.estimators._flaws import answered, probability_flaw
from continual.estimators.base import Bools, Estimator, Evidence, Fit

#: A slice's own lambda counts as much as this many labels of the whole.
BORROWED = 30


class PpiPP(Estimator):
    """lambda mean(f) + weighted mean of (e - lambda f), lambda by weighted least squares.

    Angelopoulos, Duchi & Zrnic 2023, "PPI++: Efficient prediction-powered inference" (arXiv:2311.01453), with the
    inclusion weights of Zrnic & Candes 2024. lambda minimises the variance that the choice of labels gives, sum
    (1-pi) w^2 (e - lambda f)^2 around the weighted means, cut to [0, 1]: a useless surrogate costs nothing
    (lambda 0 = Hajek), a calibrated one is used in full (1 = AIPW). A slice of n_k labels takes (n_k lambda_k + 30
    lambda)/(n_k + 30), lambda that of all rows.
    """

    kind: Literal["ppi_pp"] = Field("ppi_pp", description="Model's expected loss as far as labels bear it out.")
    weighs: ClassVar[bool] = True
    label: ClassVar[str] = "PPI++"
    needs_surrogate: ClassVar[bool] = True
    power: float | None = Field(None, ge=0, le=1, description="Fixed lambda; empty: tuned on the labels.")

    def flaw(self, evidence: Evidence) -> str | None:
        return super().flaw(evidence) or probability_flaw(evidence)

    def fit(self, evidence: Evidence) -> Fit:
        if self.power is not None:
            return difference(evidence, self.power)
        return difference(evidence, tuned_power(evidence), parameters=2)

    def estimate_slice(self, evidence: Evidence, member: Bools) -> Estimate:
        part = evidence.only(member)
        if self.power is not None or self._flaw(evidence) or self._flaw(part):
            return self.estimate(part)
        whole, own = (answered(rows.uncertain())[0] for rows in (evidence, part))
        if not own.n_labelled:
            return self.estimate(part)
        n = own.n_labelled
        power = (n * tuned_power(own) + BORROWED * tuned_power(whole)) / (n + BORROWED)
        return self.model_copy(update={"power": power}).estimate(part)


def tuned_power(evidence: Evidence) -> float:
    """lambda in [0, 1] with the smallest variance on these labels; 0 when the surrogate does not vary."""
    labelled = evidence.labelled
    if evidence.surrogate is None:
        return 0.0
    weight, observed = weights(evidence)[labelled], residual(evidence, 0.0)[labelled]
    surrogate = evidence.surrogate[labelled]
    importance = weight * (weight - 1)  # (1 - pi) / pi^2
    from_mean = surrogate - np.average(surrogate, weights=weight)
    bottom = float(np.sum(importance * from_mean**2))
    if bottom <= 1e-18:
        return 0.0
    top = float(np.sum(importance * from_mean * (observed - np.average(observed, weights=weight))))
    return min(max(top / bottom, 0.0), 1.0)
