"""Which estimator the evidence allows, and how good the choice was once the truth is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, NamedTuple

from continual.core.estimate import Comparison, Estimate
from continual.core.stats.flaws import MIN_LABELS
from continual.estimators._flaws import all_labelled, probability_flaw, surrogate_flaw
from continual.estimators.aipw import Aipw
from continual.estimators.base import Bools, Estimator, Evidence
from continual.estimators.cbpe import Cbpe
from continual.estimators.complete import Complete
from continual.estimators.hajek import Hajek
from continual.estimators.lure import Lure
from continual.estimators.ppi_pp import BORROWED, PpiPP

Target = Literal["traffic", "window"]


class Choice(NamedTuple):
    """The estimator, None when there is no honest one; and why."""

    estimator: Estimator | None
    reason: str


class Score(NamedTuple):
    """covered: the truth lay in the 95% interval. error: estimate minus truth in half-widths of the interval."""

    covered: bool
    error: float


def choose(evidence: Evidence, target: Target = "traffic") -> Choice:
    """The narrowest estimator that is honest with the labels that are there.

    All labelled: complete. 5 labels or more: lure if draws are recorded; with probabilities ppi_pp (30 labels or
    more), aipw (fewer: lambda cannot be measured, the confidence is taken as it is), hajek (no surrogate); without
    probabilities none. Fewer labels: cbpe, or none without a surrogate. Only recorded facts decide, never the
    values of labels, so that the choice does not bias.
    """
    inner = evidence.uncertain()
    k = inner.n_labelled
    if all_labelled(inner) or (len(evidence) and not len(inner)):
        return Choice(Complete(target=target), "every row is labelled or known")
    if k < MIN_LABELS:
        return _without_labels(k, surrogate_flaw(inner), target)
    if inner.draws is not None:
        return Choice(Lure(target=target), "draws are recorded in sequence")
    why = probability_flaw(inner)
    return Choice(None, why) if why else _weighted(k, surrogate_flaw(inner), target)


def _weighted(k: int, no_surrogate: str | None, target: Target) -> Choice:
    recorded = "probabilities are recorded"
    if no_surrogate:
        return Choice(Hajek(target=target), f"{recorded}, {no_surrogate}")
    if k < BORROWED:
        return Choice(Aipw(target=target), f"{recorded}, {k} labels are too few to tune on")
    return Choice(PpiPP(target=target), f"{recorded}, {k} labels")


def _without_labels(k: int, no_surrogate: str | None, target: Target) -> Choice:
    few = f"{k} labels, {MIN_LABELS} are needed"
    return Choice(None, f"{few}; {no_surrogate}") if no_surrogate else Choice(Cbpe(target=target), few)


def estimate(evidence: Evidence, member: Bools | None = None, target: Target = "traffic") -> Estimate:
    """The estimate of the chosen estimator, the choice and its reason in `method`.

    member: (N,) rows of a slice; a slice with few labels borrows lambda from all rows.
    """
    part = evidence if member is None else evidence.only(member)
    estimator, reason = choose(part, target)
    if estimator is None:
        return Estimate.undefined(len(part), part.n_labelled, reason)
    if member is None:
        found = estimator.estimate(part)
    else:
        whole = choose(evidence, target).estimator
        if isinstance(estimator, Aipw) and isinstance(whole, PpiPP):
            estimator, reason = whole, f"probabilities are recorded, tuned on {evidence.n_labelled} labels of all rows"
        found = estimator.estimate_slice(evidence, member)
    return replace(found, method=f"{found.method}; chosen: {estimator.kind}, {reason}")


def compare(evidence: Evidence, target: Target = "traffic") -> Comparison:
    """The paired comparison of the chosen estimator; `evidence.observed` positive = candidate better."""
    estimator, reason = choose(evidence, target)
    if estimator is None:
        return Comparison.undefined(evidence.n_labelled, reason)
    found = estimator.compare(evidence)
    return replace(found, method=f"{found.method}; chosen: {estimator.kind}, {reason}")


def score_choice(estimate: Estimate, truth: float) -> Score | None:
    """How an earlier estimate fared against the matured `truth`; None when it was undefined.

    An interval without width scores 0 or infinity.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    half, error = (estimate.high - estimate.low) / 2, estimate.value - truth
    near = abs(error) <= 1e-9 * max(1.0, abs(truth))  # sums in another order
    covered = near or estimate.low <= truth <= estimate.high
    return Score(covered, error / half if half > 0 else 0.0 if near else math.copysign(math.inf, error))
