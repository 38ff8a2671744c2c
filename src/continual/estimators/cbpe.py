"""CBPE: no labels, the model's own confidence taken at its word."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.estimate import Comparison
from continual.estimators._flaws import surrogate_flaw
from continual.estimators.base import Estimator, Evidence, Fit, Floats


class Cbpe(Estimator):
    """mean(f), label-free: an early warning, never the ground of a decision.

    Confidence-based performance estimation (NannyML; Kivimaki, Bialek, Nurminen & Kuberski
    2024, arXiv:2407.08649). The interval holds only if the confidence is calibrated on these rows;
    under shift it was 16-20 points off in slices. Its worth is to be scored against the truth later
    (`score_choice`). For the window each outcome spreads by `Evidence.variance`, else by at most
    (f - lowest)(highest - f), exact for 0/1; for future traffic only the rows vary.
    """

    kind: Literal["cbpe"] = Field("cbpe", description="Label-free early warning from the model's own confidence.")
    label: ClassVar[str] = "label-free (CBPE), early warning only, right only if the confidence is calibrated"
    needs_surrogate: ClassVar[bool] = True

    def flaw(self, evidence: Evidence) -> str | None:
        f = evidence.surrogate
        why = surrogate_flaw(evidence) if len(evidence) else "no rows"
        if why or f is None:
            return why
        if not np.all((f >= evidence.lowest) & (f <= evidence.highest)):
            return "a surrogate is outside the range of the statistic"
        unbounded = evidence.variance is None and not np.isfinite(evidence.highest - evidence.lowest)
        if self.target == "window" and unbounded:
            return "without labels a statistic of unknown range has no interval for the window"
        return None

    def compare(self, evidence: Evidence) -> Comparison:
        return Comparison.undefined(evidence.n_labelled, "label-free: no ground for a decision")

    def fit(self, evidence: Evidence) -> Fit:
        assert evidence.surrogate is not None  # noqa: S101
        f, n = evidence.surrogate, len(evidence)
        value = float(f.mean())
        outcome = _outcome(evidence, f) if self.target == "window" else np.zeros(n)
        return Fit(value, (f - value) / n, float(outcome.sum()) / n**2, np.ones(n), np.ones(n), value)


def _outcome(evidence: Evidence, f: Floats) -> Floats:
    """(N,) variance of each row's outcome."""
    if evidence.variance is not None:
        return evidence.variance
    return np.asarray((f - evidence.lowest) * (evidence.highest - f))
