"""The difference estimator, of which Hajek (lambda 0), AIPW (lambda 1) and PPI++ (lambda tuned) are cases.

    theta = lambda mean(f) + sum w (e - lambda f) / sum w,   w = xi / pi

Sarndal, Swensson & Wretman 1992, "Model assisted survey sampling", ch. 6; Angelopoulos, Duchi & Zrnic 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from continual.estimators._evidence import Evidence, Floats


@dataclass(frozen=True)
class Fit:
    """An estimate before its interval.

    value: the estimate. shares: (N,) each row's linear contribution to its deviation from the mean of future
    traffic. design: variance that the choice of labels alone gives, for the mean of these very rows. weight:
    (N,) of each label, 0 without one. unsure: (N,) 1 - pi, what the weight would not repeat. parameters: numbers
    fitted on the labels. typical: weighted mean of the labels alone.
    """

    value: float
    shares: Floats
    design: float
    weight: Floats
    unsure: Floats
    typical: float
    parameters: int = 1

    @property
    def labels(self) -> int:
        """Rows the value rests on."""
        return int(np.count_nonzero(self.weight))

    def effective(self, *, window: bool) -> float:
        """Kish's number of equally weighted labels worth these; infinite when nothing was left out."""
        square = float(np.sum(self.weight**2 * (self.unsure if window else 1.0)))
        return float(self.weight.sum()) ** 2 / square if square > 0 else np.inf


def weights(evidence: Evidence) -> Floats:
    """(N,) 1/pi on labelled rows, else 0; `probability` must be set."""
    assert evidence.probability is not None  # noqa: S101
    return np.where(evidence.labelled, 1 / evidence.probability, 0.0)


def residual(evidence: Evidence, power: float) -> Floats:
    """(N,) e - lambda f on labelled rows, else 0."""
    labelled = evidence.labelled
    observed = np.where(labelled, evidence.observed, 0.0)
    if evidence.surrogate is None or power == 0:
        return observed
    return np.where(labelled, observed - power * evidence.surrogate, 0.0)


def difference(evidence: Evidence, power: float, parameters: int = 1) -> Fit:
    """Self-normalised difference estimate with the surrogate taken `power` (lambda) times."""
    weight, rest = weights(evidence), residual(evidence, power)
    total = float(weight.sum())
    typical = float(np.dot(weight, residual(evidence, 0.0))) / total
    mean = float(np.dot(weight, rest)) / total
    shares = weight * (rest - mean) / total
    unsure = 1 - 1 / np.maximum(weight, 1.0)
    design = float(np.sum(unsure * shares**2))
    if evidence.surrogate is None or power == 0:
        return Fit(mean, shares, design, weight, unsure, typical, parameters)
    expected = float(evidence.surrogate.mean())
    shares = shares + power * (evidence.surrogate - expected) / len(evidence)
    return Fit(power * expected + mean, shares, design, weight, unsure, typical, parameters)
