"""Triggers: frozen evidence in, decision with its reason out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from continual.core.canonical import canonical_json
from continual.core.forecast import forecast
from continual.core.prices import Prices
from continual.core.staleness import SLOPE
from continual.core.trigger_evidence import ColumnDrift, DayGain, Generation, Look, PastRetrain
from continual.triggers.any_of import AnyOf
from continual.triggers.base import TRIGGERS, TriggerEvidence, reasoned
from continual.triggers.cost import Cost
from continual.triggers.drift import Drift
from continual.triggers.label_volume import LabelVolume
from continual.triggers.performance import Performance
from continual.triggers.schedule import Schedule
from continual.triggers.skip_if_no_gain import SkipIfNoGain

NOW = datetime(2013, 8, 1, tzinfo=UTC)
#: Parameters without a default.
EXAMPLES = {
    "any_of": {"triggers": [{"kind": "schedule"}]},
    "all_of": {"triggers": [{"kind": "schedule"}]},
    "at_least": {"count": 1, "triggers": [{"kind": "schedule"}]},
    "cooldown": {"days": 3, "trigger": {"kind": "schedule"}},
    "skip_if_no_gain": {"trigger": {"kind": "schedule"}},
    "label_volume": {"at_least": 100},
}


def _evidence(days=None, labels=0, has_champion=True, as_of=NOW):
    last = None if days is None else as_of - timedelta(days=days)
    return TriggerEvidence(as_of, last, labels, has_champion)


@pytest.mark.parametrize("kind", TRIGGERS.kinds)
@pytest.mark.parametrize(
    "evidence", [_evidence(), _evidence(0), _evidence(400, 10**9), _evidence(-3), _evidence(1, 0, False)]
)
def test_every_trigger_decides_on_any_evidence_purely_with_a_reason(kind, evidence):
    trigger = TRIGGERS.build({"kind": kind, **EXAMPLES.get(kind, {})})
    before = canonical_json(evidence)
    decision = trigger.decide(evidence)
    assert decision == trigger.decide(evidence)
    assert type(decision.retrain) is bool
    assert decision.reason
    assert "\n" not in decision.reason
    assert canonical_json(evidence) == before


@pytest.mark.parametrize(
    ("days", "retrain", "reason"),
    [
        (None, True, "nothing was trained yet"),
        (28, True, "last retrain 28.0 days ago, due at 28"),
        (27.9, False, "last retrain 27.9 days ago, not due at 28"),
        (-3, False, "not due: the last retrain is 3.0 days after this instant"),  # a backfill of an old window (s33)
    ],
)
def test_schedule(days, retrain, reason):
    decision = Schedule(every_days=28).decide(_evidence(days))
    assert (decision.retrain, decision.reason) == (retrain, reason)


@pytest.mark.parametrize(("labels", "retrain"), [(0, False), (59_999, False), (60_000, True)])
def test_label_volume(labels, retrain):
    decision = LabelVolume(at_least=60_000).decide(_evidence(1, labels))
    assert decision.retrain is retrain
    assert decision.reason == f"{labels:,} new labels, {'due' if retrain else 'not due'} at 60,000"


@given(st.floats(0, 60), st.integers(0, 200))
def test_any_of_is_the_or_of_its_members_and_keeps_every_reason(days, labels):
    members = [Schedule(every_days=28), LabelVolume(at_least=100)]
    evidence = _evidence(days, labels)
    parts = [m.decide(evidence) for m in members]
    for inner in (members, members[::-1], [AnyOf(triggers=members)]):
        decision = AnyOf(triggers=inner).decide(evidence)
        assert decision.retrain == any(p.retrain for p in parts)
        assert all(p.reason in decision.reason for p in parts)


@given(st.floats(0, 100), st.integers(0, 1000), st.integers(0, 100))
def test_more_time_or_more_labels_never_undo_a_trigger(days, labels, more):
    trigger = AnyOf(triggers=[Schedule(every_days=28), LabelVolume(at_least=100)])
    if trigger.decide(_evidence(days, labels)).retrain:
        assert trigger.decide(_evidence(days + more, labels)).retrain
        assert trigger.decide(_evidence(days, labels + more)).retrain


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "schedule", "every_days": 0},
        {"kind": "schedule", "every_days": float("inf")},
        {"kind": "label_volume", "at_least": 0},
        {"kind": "label_volume"},
        {"kind": "any_of", "triggers": []},
        {"kind": "at_least", "count": 2, "triggers": [{"kind": "schedule"}]},
        {"kind": "performance", "bad": 3, "looks": 2},
        {"kind": "drift", "columns": ["a"], "columns_needed": 2},
        {"kind": "cooldown", "days": 1},
    ],
)
def test_triggers_that_never_or_always_fire_are_refused(fields):
    with pytest.raises(ValidationError):
        TRIGGERS.build(fields)


def _stale(gain=0.02, days=20, since=None, **fields):
    """A champion of `days` days that a fresh model beats by `gain` on every one of them; a retrain costs 20."""
    measured = tuple(
        DayGain(f"day {d}", d + 0.5, 900, 900, 0.7, 0.69, 0.71, 0.7 + gain, gain, 0.004, f"s{d // 7}")
        for d in range(days)
    )
    ago = days if since is None else since
    known = {"age": float(days), "reigning": float(days), "prices": Prices(bad_day=0), "volume": 900.0}
    return TriggerEvidence(NOW, NOW - timedelta(days=ago), 0, True, **{**known, "days": measured, **fields})


def test_cost_retrains_when_staleness_has_cost_a_retrain():
    """Two points a day against a price of 20, with a chance of nine in ten: after some 14 days."""
    assert not Cost().decide(_stale(days=8)).retrain
    said = Cost().decide(_stale(days=17))
    assert said.retrain
    assert "point-days lost since the last retrain (measured on 17 days), a retrain costs 20 point-days" in said.reason


def test_cost_does_not_retrain_what_is_as_good_as_fresh_or_was_tried_just_now():
    assert not Cost().decide(_stale(gain=0.0, days=85)).retrain
    assert not Cost().decide(_stale(days=60, since=1)).retrain  # `min_days`
    assert not Cost().decide(_stale(days=60, since=5)).retrain  # rejected five days ago: the sum starts anew


def test_cost_does_not_retrain_for_a_loss_that_is_over():
    """Stale by three points for thirty days; then the world the champion knows came back, a fresh model loses to it."""
    stale = _stale(gain=0.03, days=30)
    over = tuple(replace(d, gain=-0.02) if d.age > 20 else d for d in stale.days)
    assert Cost().decide(stale).retrain
    said = Cost().decide(replace(stale, days=over))
    assert not said.retrain
    assert "by now a fresh model would not be better" in said.reason


def test_cost_without_a_measurement_is_the_square_root_rule():
    """sqrt(2 x 20 / (0.9 x 0.05)) = 30 days."""
    due = [d for d in range(2, 60) if Cost(shadow=False).decide(TriggerEvidence(**_bare(d))).retrain]
    assert due[0] == pytest.approx(np.sqrt(2 * 20 / (0.9 * SLOPE)), abs=2)
    taught = Generation("1", 60, 60**3 / 3 / 0.004**2, 0.002 * 60**3 / 3 / 0.004**2)  # 0.2 points a day
    sooner = [d for d in range(2, 60) if Cost().decide(TriggerEvidence(**_bare(d, generations=(taught,)))).retrain]
    assert sooner[0] < due[0] - 5


def _bare(days, **fields):
    known = {"age": float(days), "reigning": float(days), "prices": Prices(bad_day=0), "volume": 900.0}
    return (
        {"as_of": NOW, "last_retrain": NOW - timedelta(days=days), "new_labels": 0, "has_champion": True}
        | known
        | fields
    )


def test_a_retrain_says_what_it_should_bring_and_cost_in_the_policys_unit():
    said = reasoned(Schedule(every_days=5), _stale(days=14, prices=Prices(unit="EUR", point=40, retrain=300)))
    assert said.retrain
    assert re.search(r"expected gain [\d,]+ EUR \[.+\] over \d+ days for 300 EUR: net \+", said.reason)


def test_the_forecast_scales_with_the_price_and_holds_the_truth():
    found = forecast(_stale(days=28, gain=0.02))
    assert found.low / found.horizon < 2 * 0.9 < found.high / found.horizon  # 2 points a day, 9 in 10 promoted
    double = forecast(_stale(days=28, gain=0.02, prices=Prices(bad_day=0, point=2, retrain=40)))
    assert double.gain == pytest.approx(2 * found.gain)


def test_rejected_candidates_make_retrains_rarer():
    tried = tuple(PastRetrain(f"{d}", 1.0, 0, promoted=False) for d in range(10))
    assert Cost().decide(_stale(days=18)).retrain
    assert not Cost().decide(_stale(days=18, retrains=tried)).retrain


def test_skip_if_no_gain_skips_only_what_surely_does_not_pay():
    inner = [{"kind": "schedule", "every_days": 14}]
    skip = SkipIfNoGain(trigger=inner[0])
    said = skip.decide(_stale(gain=0.0, days=60))
    assert not said.retrain
    assert "skipped, a retrain gains at most" in said.reason
    assert skip.decide(_stale(gain=0.02, days=60)).retrain
    assert skip.decide(TriggerEvidence(**_bare(60))).retrain  # nothing measured


def test_all_of_at_least_and_cooldown():
    members = [{"kind": "schedule", "every_days": 10}, {"kind": "label_volume", "at_least": 100}]
    old, rich = _evidence(20, 0), _evidence(20, 200)
    assert [TRIGGERS.build({"kind": "all_of", "triggers": members}).decide(e).retrain for e in (old, rich)] == [0, 1]
    two = {"kind": "at_least", "count": 2, "triggers": [*members, {"kind": "schedule", "every_days": 15}]}
    assert TRIGGERS.build(two).decide(old).retrain
    assert "2 of 3 due, 2 needed" in TRIGGERS.build(two).decide(old).reason
    cool = TRIGGERS.build({"kind": "cooldown", "days": 25, "trigger": members[0]})
    assert [cool.decide(e).retrain for e in (old, _evidence(25))] == [False, True]


def _looks(*highs):
    return tuple(Look(f"{i}", "overall", "auc", 1, h - 0.01, h - 0.02, h, 500, 0.75) for i, h in enumerate(highs))


@pytest.mark.parametrize(
    ("highs", "retrain"),
    [
        ((0.72, 0.74, 0.72), True),  # 2 bad of the last 5, the latest too
        ((0.72, 0.72, 0.74), False),  # not the latest
        ((0.74, 0.74, 0.72), False),  # one noisy window
        ((0.72, 0.74, 0.74, 0.74, 0.74, 0.72), False),  # the other one is too old
        ((0.731, 0.731, 0.731), False),  # the interval still reaches what is tolerated
    ],
)
def test_performance_needs_enough_bad_looks_and_the_latest(highs, retrain):
    said = Performance().decide(replace(_evidence(5), looks=_looks(*highs)))
    assert said.retrain is retrain
    assert "0.7500 at promotion" in said.reason


def test_s10_drift_is_an_effect_size_and_psi_only_asks_for_a_look():
    def moved(distance, low):
        return replace(_evidence(5), drift=(ColumnDrift("temp", distance, low + 0.1, low, low + 0.2, 0.05, 900),))

    assert Drift(threshold=0.2).decide(moved("l1", 0.25)).retrain
    assert not Drift(threshold=0.2).decide(moved("l1", 0.15)).retrain  # surely only 0.15
    psi = Drift(distance="psi")
    said = psi.decide(moved("psi", 0.5))
    assert not said.retrain
    assert "a reason to look, not to retrain" in said.reason
    assert psi.wants_look(moved("psi", 0.5))
    assert psi.needs.shadow
    assert Drift(distance="psi", on_drift="retrain").decide(moved("psi", 0.5)).retrain
    nested = AnyOf(triggers=[{"kind": "cost"}, {"kind": "drift", "distance": "psi"}])
    assert nested.wants_look(moved("psi", 0.5))
    assert nested.needs.distances == {"psi"}


@pytest.mark.parametrize("kind", ["performance", "drift", "cost"])
def test_where_nothing_serves_every_trigger_that_watches_a_champion_trains_the_first(kind):
    """There would be no champion to watch, ever."""
    trigger = TRIGGERS.build({"kind": kind})
    assert trigger.decide(_evidence(has_champion=False)).reason == "nothing was trained yet"
    assert trigger.decide(_evidence(has_champion=False)).retrain
    assert not trigger.decide(_evidence(days=1, has_champion=False)).retrain
    assert trigger.decide(_evidence(days=3, has_champion=False)).retrain
