"""What behaviour tests do to a verdict: one that does not hold rejects, whatever the numbers of the metrics say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from continual.core.verdict import Answer, BehaviourEvidence, GateEvidence, Verdict


def missing(evidence: GateEvidence) -> Iterator[tuple[str, str]]:
    """Names and sentences of what makes the behaviour evidence unfit to decide on."""
    counts = Counter(found.name for found in evidence.behaviours)
    for name in dict.fromkeys(evidence.configured_behaviours):
        if name not in counts:
            yield named(name), f"behaviour test {name} is configured but missing in the evidence: evaluate again"
    for name, count in counts.items():
        if count > 1:
            yield named(name), f"behaviour test {name} stands {count} times in the evidence"
    for found in evidence.behaviours:
        if not math.isfinite(found.limit) or (found.measured is not None and not math.isfinite(found.measured)):
            got = f"{found.measured} against {found.limit}"
            yield named(found.name), f"behaviour test {found.name} is not a finite number: {got}"


def named(name: str) -> str:
    """How a behaviour test stands in `Verdict.blocking`, where no slice can have the same name."""
    return f"behaviour {name}"


def holds(found: BehaviourEvidence, has_champion: bool) -> bool:
    """A test that could not run does not hold; one that needs a champion does while there is none."""
    if found.measured is None:
        return not found.applies and not has_champion
    return found.measured <= found.limit


def with_behaviours(verdict: Verdict, evidence: GateEvidence) -> Verdict:
    """The verdict after the behaviour tests, which can only turn it down."""
    broken = [found for found in evidence.behaviours if not holds(found, evidence.champion is not None)]
    if not broken:
        return verdict
    names = tuple(named(found.name) for found in broken)
    if verdict.answer is Answer.REJECT:
        reason = f"{verdict.reason} Also against it: {'; '.join(found.sentence for found in broken)}."
        return replace(verdict, reason=reason, blocking=(*verdict.blocking, *names))
    stays = f"{evidence.champion} stays champion" if evidence.champion else "nothing is promoted"
    reason = f"Rejected, {stays}: {'; '.join(found.sentence for found in broken)}."
    return replace(verdict, answer=Answer.REJECT, reason=reason, blocking=names, labels_needed={})
