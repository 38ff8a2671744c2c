"""Fail closed: everything that makes evidence unfit to decide on, as sentences; shared by all gates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from continual.core.estimate import Comparison, Estimate
from continual.core.verdict import OVERALL, GateEvidence, MetricEvidence, SliceEvidence, Tier
from continual.gates._behaviours import missing
from continual.gates.base import MetricTerms

JUDGED = ("primary", "guardrail")


class Gap(NamedTuple):
    """What is missing or malformed, and on which slice (or `overall`)."""

    slice: str
    sentence: str


def find_gaps(evidence: GateEvidence, terms: Mapping[str, MetricTerms]) -> list[Gap]:
    """All gaps, most basic first; empty = fit to decide on.

    Slices with undefined numbers are no gap (they are not evaluable); on `overall` every judged metric must be
    defined.
    """
    gaps = [*_policy(terms), *_structure(evidence), *(Gap(*found) for found in missing(evidence)), *_past(evidence)]
    if gaps:
        return gaps
    for item in evidence.slices:
        gaps += _metrics(item, terms, evidence.champion is not None)
    return gaps or list(_overall(evidence, terms))


def _policy(terms: Mapping[str, MetricTerms]) -> Iterator[Gap]:
    primaries = [name for name, term in terms.items() if term.priority == "primary"]
    if len(primaries) != 1:
        got = ", ".join(primaries) or "none"
        yield Gap(
            OVERALL, f"the policy must name exactly one primary metric, got {got}: set `priority: primary` on one"
        )
    for name, term in terms.items():
        if term.priority not in (*JUDGED, "report"):
            yield Gap(OVERALL, f"metric {name} has the unknown priority {term.priority!r}")
        if not (math.isfinite(term.margin) and term.margin >= 0):
            yield Gap(OVERALL, f"the margin of {name} must be a finite number >= 0, got {term.margin}")
        if term.floor is not None and not math.isfinite(term.floor):
            yield Gap(OVERALL, f"the floor of {name} must be a finite number, got {term.floor}")


def _structure(evidence: GateEvidence) -> Iterator[Gap]:
    counts = Counter(item.slice for item in evidence.slices)
    if not counts:
        yield Gap(OVERALL, "the evidence is empty: no slice was evaluated, look at the evaluate task")
        return
    if evidence.window_uses < 0:
        yield Gap(OVERALL, f"window_uses must be >= 0, got {evidence.window_uses}")
    for name in dict.fromkeys((OVERALL, *evidence.configured_slices)):
        if name not in counts:
            yield Gap(name, f"slice {name} is configured but missing in the evidence: evaluate it or remove it")
    for name, count in counts.items():
        if count > 1:
            yield Gap(name, f"slice {name} stands {count} times in the evidence")
    for item in evidence.slices:
        if item.slice != OVERALL and item.tier not in list(Tier):
            yield Gap(item.slice, f"slice {item.slice} has the unknown tier {item.tier!r}")
        if item.parent is not None and item.parent not in counts:
            yield Gap(item.slice, f"slice {item.slice} rolls up to {item.parent}, which is missing in the evidence")


def _past(evidence: GateEvidence) -> Iterator[Gap]:
    for past in evidence.history or ():
        charged = 0.0 if past.charged is None else past.charged
        if not (math.isfinite(past.shared) and past.shared >= 0 and 0 <= charged <= 1):
            yield Gap(OVERALL, f"the history holds an impossible decision: {past}")


def _metrics(item: SliceEvidence, terms: Mapping[str, MetricTerms], compared: bool) -> Iterator[Gap]:
    counts = Counter(metric.metric for metric in item.metrics)
    for name, term in terms.items():
        if term.priority in JUDGED and name not in counts:
            yield Gap(item.slice, f"{item.slice}: metric {name} ({term.priority}) is missing in the evidence")
    for name, count in counts.items():
        if name not in terms:
            yield Gap(item.slice, f"{item.slice}: metric {name} is in the evidence but not in the policy")
        if count > 1:
            yield Gap(item.slice, f"{item.slice}: metric {name} stands {count} times in the evidence")
    for metric in item.metrics:
        for fault in _faults(metric, terms.get(metric.metric), compared):
            yield Gap(item.slice, f"{item.slice}: {metric.metric} {fault}")


def _faults(metric: MetricEvidence, term: MetricTerms | None, compared: bool) -> Iterator[str]:
    if term is not None and metric.priority != term.priority:
        yield f"was evaluated as {metric.priority} but the policy says {term.priority}: evaluate again"
    if metric.priority in JUDGED and compared and metric.comparison is None:
        yield "was not compared with the champion"
    for who, found in (("candidate", metric.candidate), ("champion", metric.champion)):
        if found is not None and not _sound_estimate(found):
            yield f"of the {who} is not a finite number with its interval: {found.value} [{found.low}, {found.high}]"
    if metric.comparison is not None and not _sound_comparison(metric.comparison):
        yield f"has a comparison that is not finite or not complete or contradicts itself: {metric.comparison}"


def _sound_estimate(found: Estimate) -> bool:
    values = [v for v in (found.value, found.low, found.high) if v is not None]
    if not values:
        return found.n >= found.n_labelled >= 0
    return len(values) == 3 and all(map(math.isfinite, values)) and found.n >= found.n_labelled > 0


def _sound_comparison(found: Comparison) -> bool:
    fields = (found.gain, found.se, found.low, found.high, found.p_harm)
    values = [v for v in fields if v is not None]
    if not values:
        return found.n >= 0
    if len(values) < len(fields) or not all(map(math.isfinite, values)):
        return False
    gain, se, low, high, p_harm = values
    freedom = found.df is None or (math.isfinite(found.df) and found.df > 0)
    return found.n > 0 and se >= 0 and low <= gain <= high and 0 <= p_harm <= 1 and freedom


def _overall(evidence: GateEvidence, terms: Mapping[str, MetricTerms]) -> Iterator[Gap]:
    overall = next(item for item in evidence.slices if item.slice == OVERALL)
    found = {metric.metric: metric for metric in overall.metrics}
    for name, term in terms.items():
        if term.priority not in JUDGED and term.floor is None:
            continue
        if name not in found:
            yield Gap(OVERALL, f"overall: metric {name} has a floor but is missing in the evidence")
        elif not found[name].candidate.defined:
            yield Gap(OVERALL, f"overall: {name} of the candidate is {found[name].candidate.method}")
        elif term.priority in JUDGED and evidence.champion is not None:
            comparison = found[name].comparison
            if comparison is None or not comparison.defined:
                why = comparison.method if comparison else "missing"
                yield Gap(OVERALL, f"overall: the comparison of {name} with the champion is {why}")
