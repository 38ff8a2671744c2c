"""Metrics that are no mean (AUC, F1, average precision) from few, chosen labels: pseudo-labels plugged in.

Every row gets p~ = f + (xi/pi)(y - f), f its calibrated probability of label 1 (1/pi scaled to sum to the rows), and
the metric is computed on all rows with weights p~ and 1 - p~ for the two labels. It is linearised there: what one row
adds, were its label known, is its influence, and that is a per-row statistic with a mean, which the estimators know how
to estimate from chosen labels. The metric at p~ plus the estimated mean influence is the one-step estimate; its
interval is that of the mean.

Robins, Rotnitzky & Zhao 1994 (the pseudo-labels); Zrnic & Candes 2024, arXiv:2403.03208; Deville 1999, "Variance
estimation for complex statistics: linearization" (Survey Methodology 25:193).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from continual.core.estimate import Estimate
from continual.estimators._choose import Target, choose
from continual.estimators._difference import weights
from continual.estimators._evidence import Evidence, Floats
from continual.estimators._flaws import answered
from continual.estimators.base import Estimator
from continual.estimators.lure import lure_weights


@dataclass(frozen=True)
class Linear:
    """A metric at pseudo-labels. up, down: (N,) its derivative by the weight of each row's label 1 and label 0."""

    value: float
    up: Floats
    down: Floats


#: (N,) pseudo-labels -> the metric linearised there, or why it is undefined.
Functional = Callable[[Floats], Linear | str]
#: Value and half width -> 95% interval inside the metric's range.
Bounds = Callable[[float, float], tuple[float, float]]


def plain(value: float, half: float) -> tuple[float, float]:
    """value -/+ half."""
    return value - half, value + half


def plugged(evidence: Evidence, metric: Functional, target: Target = "traffic", bounds: Bounds = plain) -> Estimate:
    """The metric of binary labels; the choice of estimator and its reason in `method`, as in `_choose.estimate`.

    evidence: observed = the label 0/1, NaN without one; surrogate = calibrated probability of label 1, or None.
    """
    n, k = len(evidence), evidence.n_labelled
    estimator, reason = choose(evidence, target)
    if estimator is None:
        return Estimate.undefined(n, k, reason)
    why = estimator.flaw(replace(evidence, variance=np.zeros(n)))
    if why:
        return Estimate.undefined(n, k, why)
    pseudo = pseudo_labels(evidence, estimator)
    with np.errstate(all="ignore"):
        at = metric(pseudo)
    if isinstance(at, str):
        return Estimate.undefined(n, k, at)
    found = estimator.estimate(_influence(evidence, at))
    if found.value is None or found.low is None or found.high is None or not np.isfinite(at.value):
        return Estimate.undefined(n, k, found.method.removeprefix("undefined: "))
    value = float(at.value + found.value)
    low = bounds(value, max(found.value - found.low, 0.0))[0]
    high = bounds(value, max(found.high - found.value, 0.0))[1]
    method = f"{found.method}; pseudo-labels plugged in; chosen: {estimator.kind}, {reason}"
    return Estimate(min(max(value, low), high), low, high, n, k, method)


def pseudo_labels(evidence: Evidence, estimator: Estimator) -> Floats:
    """(N,) p~; the label where all are known, f where none is used. They may lie outside [0, 1]."""
    labelled = evidence.labelled
    if estimator.kind == "complete":
        return np.asarray(evidence.observed)
    if estimator.kind == "cbpe":
        assert evidence.surrogate is not None  # noqa: S101
        return evidence.surrogate
    weight = _weight(evidence)
    y = np.where(labelled, evidence.observed, 0.0)
    typical = float(np.dot(weight, y) / weight.sum())
    base = np.full(len(y), typical) if evidence.surrogate is None else evidence.surrogate
    scale = len(y) / float(weight.sum())
    return np.asarray(base + np.where(labelled, scale * weight * (y - base), 0.0))


def _weight(evidence: Evidence) -> Floats:
    if evidence.draws is not None:
        return np.where(evidence.labelled, lure_weights(evidence.draws), 0.0)
    return weights(answered(evidence)[0])


def _influence(evidence: Evidence, at: Linear) -> Evidence:
    """Evidence on each row's influence: its mean is what the metric at the pseudo-labels is still off."""
    n, y, f = len(evidence), evidence.observed, evidence.surrogate
    observed = n * np.where(evidence.labelled, np.where(y > 0.5, at.up, at.down), np.nan)
    expected = variance = None
    if f is not None:
        expected, variance = n * (f * at.up + (1 - f) * at.down), f * (1 - f) * (n * (at.up - at.down)) ** 2
    return replace(evidence, observed=observed, surrogate=expected, lowest=-np.inf, highest=np.inf, variance=variance)
