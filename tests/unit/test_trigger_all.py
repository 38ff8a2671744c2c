"""Triggers: frozen evidence in, decision with its reason out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from continual.core.canonical import canonical_json
from continual.triggers.any_of import AnyOf
from continual.triggers.base import TRIGGERS, TriggerEvidence
from continual.triggers.label_volume import LabelVolume
from continual.triggers.schedule import Schedule

NOW = datetime(2013, 8, 1, tzinfo=UTC)
#: Parameters without a default.
EXAMPLES = {
    "any_of": {"triggers": [{"kind": "schedule"}]},
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
    ],
)
def test_triggers_that_never_or_always_fire_are_refused(fields):
    with pytest.raises(ValidationError):
        TRIGGERS.build(fields)
