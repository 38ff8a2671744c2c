"""Why evidence gives no estimate, and what missing labels do to recorded probabilities."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from continual.core.stats.flaws import MIN_LABELS
from continual.estimators._evidence import Evidence, Floats

#: Recorded probabilities and labels that differ by more standard deviations than this do not belong together.
DEVIATIONS = 5.0
#: ... unless that many labels are likelier than this (few expected labels have a long upper tail).
UNLIKELY = 1e-7
NOT_RECORDED = "labels were chosen, probabilities not recorded"


def all_labelled(evidence: Evidence) -> bool:
    """Whether nothing is left to estimate in this window."""
    return len(evidence) > 0 and evidence.n_labelled == len(evidence)


def label_flaw(evidence: Evidence) -> str | None:
    """Why the labels of `evidence` (without rows known to be 0) are not evaluable, or None."""
    k, value = evidence.n_labelled, evidence.observed[evidence.labelled]
    checks = {
        "no rows": len(evidence) > 0,
        "no labelled rows": k > 0,
        f"not evaluable with {k} labels, {MIN_LABELS} are needed": k >= MIN_LABELS,
        "a statistic is not finite": bool(np.isfinite(value).all()),
        "a statistic is outside its range": bool(np.all((value >= evidence.lowest) & (value <= evidence.highest))),
    }
    return next((why for why, holds in checks.items() if not holds), None)


def probability_flaw(evidence: Evidence) -> str | None:
    """Why the recorded probabilities cannot weight the labels, or None; complete labels need none."""
    if all_labelled(evidence):
        return None
    if evidence.probability is None:
        return NOT_RECORDED
    if not np.all((evidence.probability > 0) & (evidence.probability <= 1)):  # also catches NaN
        return "a recorded probability is not in (0, 1]"
    return _too_many(evidence.n_labelled, float(evidence.probability.sum()), _deviation(evidence, evidence.probability))


def _too_many(k: int, expected: float, deviation: float) -> str | None:
    from scipy.special import pdtrc

    if deviation <= DEVIATIONS or pdtrc(k - 1, expected) >= UNLIKELY:
        return None
    return f"{k} labels where the recorded probabilities allow about {expected:.0f}"


def surrogate_flaw(evidence: Evidence) -> str | None:
    """Why the surrogate cannot stand in for missing labels, or None."""
    if evidence.surrogate is None:
        return "the model's expected loss is not recorded"
    return None if np.isfinite(evidence.surrogate).all() else "a surrogate is not finite"


def _deviation(evidence: Evidence, pi: Floats) -> float:
    """Labels too many (positive) or too few, in standard deviations of the Poisson design."""
    excess = evidence.n_labelled - float(pi.sum())
    sd = math.sqrt(float(np.sum(pi * (1 - pi))))
    if sd > 0:
        return excess / sd
    return 0.0 if abs(excess) < 0.5 else math.copysign(math.inf, excess)


def answered(evidence: Evidence) -> tuple[Evidence, str]:
    """Evidence with the probability of a label that was chosen *and* came, and a note on it.

    Sound evidence only (see `probability_flaw`). Labels that never come make the recorded probability too large;
    the share that came scales it, as if missing at random: nothing in the data can show that it is.
    """
    if all_labelled(evidence):
        return replace(evidence, probability=np.ones(len(evidence))), ""
    pi = evidence.probability
    if pi is None or _deviation(evidence, pi) >= -DEVIATIONS:
        return evidence, ""
    share = evidence.n_labelled / float(pi.sum())
    note = f", {share:.0%} of the chosen labels came, the rest counts as missing at random"
    return replace(evidence, probability=pi * share), note
