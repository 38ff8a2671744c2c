"""The yearly budget of wrong promotions: no year spends more than all of it, however often one looks, at whatever."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continual.core.canonical import canonical_json
from continual.core.estimate import Comparison, Estimate
from continual.core.stats.tails import lower_tail
from continual.core.verdict import (
    OVERALL,
    Answer,
    GateEvidence,
    MetricEvidence,
    PastDecision,
    SliceEvidence,
)
from continual.gates._spending import RESERVE, spending_of
from continual.gates.base import GATES, MetricTerms

START, YEAR = datetime(2013, 1, 1, tzinfo=UTC), 365
TERMS = {"accuracy": MetricTerms("primary", 0.02, None, True)}
GATE = GATES.get("graded")


def _span(end, length=28):
    stop = START + timedelta(days=end)
    return {"start": (stop - timedelta(days=length)).isoformat(), "end": stop.isoformat()}


def _instant(day):
    return (START + timedelta(days=day)).isoformat()


def _evidence(day=0.0, end=None, history=(), gain=0.01, se=0.001, uses=0):
    comparison = Comparison(gain, se, gain - 2 * se, gain + 2 * se, lower_tail(gain / se, None), 20_000, "paired")
    value = Estimate(0.8, 0.79, 0.81, 20_000, 20_000, "test")
    overall = SliceEvidence(
        OVERALL, "standard", None, (MetricEvidence("accuracy", "primary", value, value, comparison),)
    )
    window = _span(day if end is None else end)
    return GateEvidence("v2", "v1", (overall,), (), window, _instant(day), uses, history=history)


def _charges(days, ends, budget, record=True):
    """What a sequence of decisions takes; record: verdicts write down what they took, as the flows do."""
    history, out = [], []
    for day, end in zip(days, ends, strict=True):
        history = [past for past in history if past.as_of > _instant(day - YEAR)]
        found = spending_of(_evidence(day, end, tuple(history)), budget)
        out.append(found.charged)
        history.append(PastDecision("v2", _instant(day), _span(end), 0.0, found.charged if record else None))
    return out


def _most_in_a_year(days, charges):
    """The largest sum of charges over any 365 days."""
    return max(sum(c for d, c in zip(days, charges, strict=True) if day - YEAR < d <= day) for day in days)


gaps = st.lists(st.one_of(st.just(0.0), st.floats(0.01, 5), st.floats(5, 200)), min_size=1, max_size=60)


@given(gaps, st.sampled_from([0.05, 0.2]), st.booleans())
def test_no_year_spends_more_than_the_budget_at_any_cadence(steps, budget, record):
    days = [sum(steps[: i + 1]) for i in range(len(steps))]
    charges = _charges(days, days, budget, record)
    assert min(charges) >= 0
    assert _most_in_a_year(days, charges) <= budget * (1 + 1e-9)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(-40, 20)), min_size=1, max_size=50))
def test_windows_in_any_order_and_overlap_spend_no_more_either(pairs):
    days = [sum(step for step, _ in pairs[: i + 1]) for i in range(len(pairs))]
    ends = [day + late for day, (_, late) in zip(days, pairs, strict=True)]
    assert _most_in_a_year(days, _charges(days, ends, 0.05)) <= 0.05 * (1 + 1e-9)


@pytest.mark.parametrize("every", [4, 7, 28, 91])
def test_a_steady_cadence_spends_its_share_of_the_year(every):
    days = list(range(0, 2 * YEAR, every))
    charges = _charges(days, days, 0.05)
    steady = min((1 - RESERVE) * 0.05 * every / YEAR, RESERVE * 0.05 / 2)
    assert charges[-1] == pytest.approx(steady, rel=0.02)
    assert min(charges) >= 0.99 * steady, "no cadence ever starves a candidate"


def test_another_look_at_the_same_window_takes_half_of_what_the_last_one_left():
    charges = _charges([0, 1, 2, 3, 100], [0] * 5, 0.05)
    assert charges == pytest.approx([0.00625 / 2**k for k in range(5)])


def test_days_without_fresh_rows_earn_nothing_and_fresh_rows_do():
    stuck, moved = (_charges([0, 60], [0, end], 0.05)[1] for end in (0, 60))
    assert moved > 1.5 * stuck


def test_a_promotion_and_a_rejection_cost_the_same():
    past = PastDecision("v2", _instant(-7), _span(-7), 0.75)
    left = {spending_of(_evidence(0, history=(replace(past, candidate=who),)), 0.05).left for who in ("promoted", "no")}
    assert len(left) == 1


def test_decisions_older_than_a_year_do_not_count_and_later_ones_do():
    old, later = (PastDecision("v2", _instant(day), _span(day), 0.0, 0.01) for day in (-366, 30))
    assert spending_of(_evidence(0, history=(old,)), 0.05).decisions == 0
    backfill = spending_of(_evidence(0, history=(later,)), 0.05)
    assert backfill.decisions == 1
    assert backfill.left == pytest.approx(0.05 - 0.01 - backfill.charged)


def test_the_level_of_the_decision_is_what_the_budget_leaves_and_the_reason_says_it():
    past = tuple(PastDecision("v2", _instant(-7 * k), _span(-7 * k), 0.0) for k in range(52, 0, -1))
    fair = _evidence(gain=0.01, se=0.0033, history=())  # z = 3.03
    first, later = GATE().judge(fair, TERMS), GATE().judge(replace(fair, history=past), TERMS)
    assert first.answer is Answer.PROMOTE
    assert later.answer is Answer.REJECT
    assert "at the level 0.072% that the yearly budget leaves" in later.reason
    assert later.reason.endswith(
        "Budget of wrong promotions: 0.072% taken by this decision, 0.082% of 5% left this year."
    )
    assert later.spending.decisions == 52
    assert GATE(yearly_alpha=0.2).judge(replace(fair, history=past), TERMS).answer is Answer.PROMOTE


def test_a_used_up_budget_promotes_nothing_however_sure_and_says_so():
    spent = PastDecision("v1", _instant(-1), _span(-1), 1.0, 0.05)
    verdict = GATE().judge(_evidence(gain=0.2, se=0.0001, history=(spent,)), TERMS)
    assert verdict.answer is Answer.REJECT
    assert "the budget of wrong promotions of this year is used up" in verdict.reason


def test_the_level_is_never_above_one_minus_confidence():
    weak = _evidence(gain=0.01, se=0.0055, history=())  # z = 1.82, one-sided p = .034
    assert GATE(yearly_alpha=0.9).judge(weak, TERMS).answer is Answer.PROMOTE
    assert GATE(yearly_alpha=0.9, confidence=0.975).judge(weak, TERMS).answer is Answer.REJECT


def test_evidence_of_the_previous_release_reads_and_gives_the_bytes_it_gave():
    """As stored by release 0: no history, no behaviours; the verdict has none of the later fields."""
    evidence = _evidence(gain=0.01, se=0.0055, uses=1, history=None)
    stored = json.loads(canonical_json(evidence))
    for later in ("history", "behaviours", "configured_behaviours"):
        del stored[later]
    again = GATE().judge(GateEvidence.from_dict(stored), TERMS)
    assert again.answer is Answer.REJECT
    assert "at the level left after 1 earlier uses of the window" in again.reason
    assert set(again.as_dict()) == {"answer", "reason", "blocking", "labels_needed", "findings"}
    assert "borrowed" not in again.as_dict()["findings"][0]


def test_evidence_with_a_history_survives_the_ledger():
    past = PastDecision("v1", _instant(-7), _span(-7), 0.75, 0.001)
    evidence = _evidence(history=(past,))
    again = GateEvidence.from_dict(json.loads(canonical_json(evidence)))
    assert again.history == (past,)
    assert canonical_json(GATE().judge(again, TERMS)) == canonical_json(GATE().judge(evidence, TERMS))


@pytest.mark.parametrize("changes", [{"shared": -1.0}, {"shared": float("nan")}, {"charged": 2.0}, {"charged": -0.1}])
def test_s27_an_impossible_history_is_refused(changes):
    past = replace(PastDecision("v1", _instant(-7), _span(-7), 0.75, 0.001), **changes)
    verdict = GATE().judge(_evidence(history=(past,)), TERMS)
    assert verdict.answer is Answer.REJECT
    assert "impossible decision" in verdict.reason
