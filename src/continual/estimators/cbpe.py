"""CBPE: no labels, the model's own confidence taken at its word."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.stats.clustered import Spread
from continual.estimators._flaws import surrogate_flaw
from continual.estimators.base import Estimator, Evidence, Fit


class Cbpe(Estimator):
    """mean(f), label-free: an early warning, never the ground of a decision.

    Confidence-based performance estimation (NannyML; Bialek, Kivimaki, Kuberski & Perrakis 2024,
    arXiv:2407.08649; Guillory et al. 2021). The interval holds only if the confidence is calibrated on these rows;
    under shift it was 16-20 points off in slices. Its worth is to be scored against the truth later
    (`score_choice`). Rows spread by at most (f - lowest)(highest - f), which is exact for 0/1.
    """

    kind: Literal["cbpe"] = Field("cbpe", description="Label-free early warning from the model's own confidence.")
    label: ClassVar[str] = "label-free (CBPE), early warning only, right only if the confidence is calibrated"
    needs_surrogate: ClassVar[bool] = True

    def flaw(self, evidence: Evidence) -> str | None:
        f = evidence.surrogate
        why = surrogate_flaw(evidence) if len(evidence) else "no rows"
        if why or f is None:
            return why
        inside = bool(np.all((f >= evidence.lowest) & (f <= evidence.highest)))
        return None if inside else "a surrogate is outside the range of the statistic"

    def fit(self, evidence: Evidence) -> Fit:
        assert evidence.surrogate is not None  # noqa: S101
        f, n = evidence.surrogate, len(evidence)
        value = float(f.mean())
        noise = 0.0
        if np.isfinite(evidence.highest - evidence.lowest):
            noise = float(np.sum((f - evidence.lowest) * (evidence.highest - f))) / n**2
        ...
