"""The yearly budget of wrong promotions: how much of it the next decision may use.

A bucket: it holds RESERVE of the budget, is full at first, fills with the days that the evaluation window moves on,
and every judged candidate takes SHARE of what is in it, promoted or not. The charges of any year sum to at most
`RESERVE + (1 - RESERVE)` = all of the budget, however often and on whatever windows one looks; so by the union bound
(no independence needed) does the chance that any candidate passes that is not better. Only fresh rows fill the
bucket: another look at the same window takes half of what the last one left. Charges do not depend on how decisions
ended, so nothing is won by losing. Spending functions over information time: Lan & DeMets 1983; Foster & Stine 2008.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from continual.core.verdict import GateEvidence, PastDecision, Spending
from continual.core.window import Window, utc

YEAR = timedelta(days=365)
#: Part of the budget that waits for a candidate after a pause (and at the start); the rest comes day by day.
RESERVE = 0.25
#: Part of the bucket that one decision takes.
SHARE = 0.5


def spending_of(evidence: GateEvidence, budget: float) -> Spending | None:
    """What this decision takes; None for evidence that has no history on record.

    The bucket is replayed by the rule from a full one a year ago (a wrong start halves with every decision); what was
    spent is what the verdicts recorded, so that no edit of the policy gives the year a second budget.
    """
    if evidence.history is None:
        return None
    recent = [past for past in evidence.history if utc(past.as_of) > utc(evidence.as_of) - YEAR]
    in_bucket, reached, spent = RESERVE * budget, None, 0.0
    for past, end in _ordered(recent):
        in_bucket = _filled(in_bucket, reached, end, budget)
        charge = _charge(in_bucket, spent, budget)
        in_bucket, reached = in_bucket - charge, _later(reached, end)
        spent += charge if past.charged is None else past.charged
    in_bucket = _filled(in_bucket, reached, Window.from_dict(evidence.window).end, budget)
    charge = _charge(in_bucket, spent, budget)
    shared = sum(past.shared for past in recent)
    return Spending(budget, charge, max(budget - spent - charge, 0.0), len(recent), shared)


def _ordered(past: list[PastDecision]) -> Iterator[tuple[PastDecision, datetime]]:
    for one in past:
        yield one, Window.from_dict(one.window).end


def _charge(in_bucket: float, spent: float, budget: float) -> float:
    """The second bound only binds where the policy's budget was changed within the year."""
    return max(min(SHARE * in_bucket, budget - spent), 0.0)


def _filled(in_bucket: float, reached: datetime | None, end: datetime, budget: float) -> float:
    fresh = (end - reached) / YEAR if reached is not None and end > reached else 0.0
    return min(in_bucket + (1 - RESERVE) * budget * fresh, RESERVE * budget)


def _later(reached: datetime | None, end: datetime) -> datetime:
    return end if reached is None else max(reached, end)
