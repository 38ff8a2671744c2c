"""Behaviour tests in the gate: they only ever turn a verdict down, and what is missing does not hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from continual.core.estimate import Comparison, Estimate
from continual.core.verdict import (
    OVERALL,
    Answer,
    BehaviourEvidence,
    GateEvidence,
    MetricEvidence,
    SliceEvidence,
)
from continual.flows.report import markdown_report
from continual.gates.base import GATES, MetricTerms

TERMS = {"accuracy": MetricTerms("primary", 0.02, 0.6, True)}
WINDOW = {"start": "2013-07-01T00:00:00+00:00", "end": "2013-07-29T00:00:00+00:00"}
HOLDS = BehaviourEvidence("invariance origin", "invariance", 0.01, 0.02, 500, "invariance origin: moves by .01")
BREAKS = replace(HOLDS, measured=0.3, sentence="invariance origin: origin = JFK moves 100% of 500 rows by up to 0.3")


def _evidence(*found, champion="v1", gain=0.01, configured=None):
    value = Estimate(0.8, 0.79, 0.81, 20_000, 20_000, "test")
    comparison = Comparison(gain, 0.001, gain - 0.002, gain + 0.002, 0.5, 20_000, "paired")
    metric = MetricEvidence("accuracy", "primary", value, value, comparison if champion else None)
    slices = (SliceEvidence(OVERALL, "standard", None, (metric,)),)
    names = tuple(dict.fromkeys(f.name for f in found)) if configured is None else configured
    return GateEvidence(
        "v2", champion, slices, (), WINDOW, "2013-08-01T00:00:00+00:00", behaviours=found, configured_behaviours=names
    )


def _judge(evidence):
    return GATES.get("graded")().judge(evidence, TERMS)


def test_tests_that_hold_change_nothing():
    assert _judge(_evidence(HOLDS)) == _judge(_evidence())
    assert _judge(_evidence()).answer is Answer.PROMOTE


@pytest.mark.parametrize("champion", ["v1", None])
def test_a_test_that_does_not_hold_rejects_a_better_candidate_and_is_named(champion):
    verdict = _judge(_evidence(BREAKS, champion=champion))
    assert verdict.answer is Answer.REJECT
    assert verdict.blocking == ("behaviour invariance origin",)
    assert BREAKS.sentence in verdict.reason
    assert "v1 stays champion" in verdict.reason or champion is None


def test_the_limit_itself_holds():
    assert _judge(_evidence(replace(HOLDS, measured=0.02))).answer is Answer.PROMOTE


def test_a_rejection_for_its_metrics_names_the_test_too():
    verdict = _judge(_evidence(BREAKS, gain=-0.01))
    assert verdict.blocking == (OVERALL, "behaviour invariance origin")
    assert "Also against it: invariance origin" in verdict.reason


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        (_evidence(configured=("size",)), "behaviour test size is configured but missing"),
        (_evidence(HOLDS, HOLDS), "stands 2 times"),
        (_evidence(replace(HOLDS, measured=float("nan"))), "not a finite number"),
        (_evidence(replace(HOLDS, limit=float("inf"))), "not a finite number"),
        (_evidence(replace(HOLDS, measured=None, sentence="could not run: no rows")), "could not run"),
    ],
)
def test_s17_what_is_missing_or_could_not_run_fails_closed(evidence, says):
    verdict = _judge(evidence)
    assert verdict.answer is Answer.REJECT
    assert says in verdict.reason


def test_a_test_that_needs_a_champion_does_not_stop_the_first_one_but_every_later_one():
    needs = replace(HOLDS, measured=None, applies=False, sentence="latency 100: not measured")
    assert _judge(_evidence(needs, champion=None)).answer is Answer.PROMOTE
    assert _judge(_evidence(needs)).answer is Answer.REJECT


def test_the_report_shows_every_test_with_its_sentence():
    evidence = _evidence(HOLDS, replace(BREAKS, name="other"), replace(HOLDS, name="x", measured=None, applies=False))
    text = markdown_report(evidence, _judge(evidence))
    assert f"- holds: {HOLDS.sentence}" in text
    assert f"- **does not hold**: {BREAKS.sentence}" in text
    assert "- does not apply: " in text
