"""A small slice may lean on its parent's proof only as far as its own rows rule out a catastrophe."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from continual.core.estimate import Comparison, Estimate
from continual.core.stats.tails import lower_tail
from continual.core.verdict import OVERALL, Answer, GateEvidence, MetricEvidence, SliceClass, SliceEvidence
from continual.gates.base import GATES, MetricTerms
from continual.metrics.base import METRICS, Rows

GATE = GATES.get("graded")
TERMS = {"accuracy": MetricTerms("primary", 0.02, None, True)}
WINDOW = {"start": "2013-07-01T00:00:00+00:00", "end": "2013-07-29T00:00:00+00:00"}
ACCURACY = METRICS.get("accuracy")(owner="x")


def _item(name, comparison, tier="standard", parent=None):
    value = Estimate(0.8, 0.7, 0.9, comparison.n, comparison.n, "test")
    return SliceEvidence(name, tier, parent, (MetricEvidence("accuracy", "primary", value, value, comparison),))


def _numbers(gain, se, n):
    return Comparison(gain, se, gain - 2 * se, gain + 2 * se, lower_tail(gain / se, None), n, "paired")


def _evidence(*slices):
    overall = _item(OVERALL, _numbers(0.01, 0.001, 50_000))
    return GateEvidence(
        "v2", "v1", (overall, *slices), tuple(s.slice for s in slices), WINDOW, "2013-08-01T00:00:00+00:00"
    )


def _family(child_gain=0.0, child_se=0.09, parent_gain=0.005, parent_se=0.003, tier="critical"):
    parent = _item("origin=JFK", _numbers(parent_gain, parent_se, 9000))
    return _evidence(parent, _item("tiny", _numbers(child_gain, child_se, 60), tier, "origin=JFK"))


def _tiny(verdict):
    return next(f for f in verdict.findings if f.slice == "tiny")


@pytest.mark.parametrize(
    ("choice", "answer"), [("borrow", "promote"), ("label", "need_labels"), ("block", "reject"), ("allow", "promote")]
)
@pytest.mark.parametrize("tier", ["critical", "standard", "long_tail"])
def test_every_tier_does_what_its_policy_says(tier, choice, answer):
    verdict = GATE(**{f"inconclusive_{tier}": choice}).judge(_family(tier=tier), TERMS)
    assert verdict.answer == answer
    assert _tiny(verdict).borrowed == ("origin=JFK" if choice == "borrow" else None)


def test_the_verdict_names_what_was_borrowed_and_from_whom():
    verdict = GATE(inconclusive_critical="borrow").judge(_family(), TERMS)
    assert "proof borrowed: tiny from origin=JFK" in verdict.reason
    assert "borrows the proof of origin=JFK, own rows rule out a loss of .200" in _tiny(verdict).sentence
    assert _tiny(verdict).slice_class is SliceClass.INCONCLUSIVE
    assert verdict.as_dict()["findings"][-1]["borrowed"] == "origin=JFK"


def test_without_a_policy_for_it_nothing_is_borrowed():
    assert GATE().judge(_family(), TERMS).answer is Answer.NEED_LABELS


def test_a_slice_that_may_be_a_catastrophe_cannot_borrow_and_asks_for_labels():
    verdict = GATE(inconclusive_critical="borrow").judge(_family(child_gain=-0.08), TERMS)
    assert verdict.answer is Answer.NEED_LABELS
    assert "cannot borrow: own rows do not rule out a loss of .200" in verdict.reason
    assert verdict.labels_needed["tiny"] > 0


def test_a_parent_without_proof_lends_nothing_but_the_one_above_it_does():
    unsure = _family(parent_se=0.02, child_se=0.09)
    verdict = GATE(inconclusive_critical="borrow").judge(unsure, TERMS)
    assert verdict.answer is Answer.PROMOTE
    assert _tiny(verdict).borrowed == OVERALL


def test_nobody_borrows_past_a_harmed_parent():
    verdict = GATE(inconclusive_critical="borrow").judge(_family(parent_gain=-0.03), TERMS)
    assert verdict.answer is Answer.REJECT
    assert _tiny(verdict).borrowed is None
    assert "no slice it rolls up to is PROVEN" in _tiny(verdict).sentence


def test_no_rows_cannot_borrow():
    none = Estimate.undefined(0, 0, "no labelled rows")
    empty = MetricEvidence("accuracy", "primary", none, none, Comparison.undefined(0, "no labelled rows"))
    empty = SliceEvidence("tiny", "critical", None, (empty,))
    assert GATE(inconclusive_critical="borrow").judge(_evidence(empty), TERMS).answer is Answer.NEED_LABELS


def _measured(rng, n, loss, differ):
    """Paired right/wrong of n rows of a candidate that is worse by `loss`."""
    draw = rng.random(n)
    champion = np.ones(n)
    worse, either = (differ + loss) / 2, differ
    candidate = np.where(draw < worse, 0.0, 1.0)
    champion = np.where((draw >= worse) & (draw < either), 0.0, champion)
    return ACCURACY.compare(Rows(np.ones(n), np.ones(n), np.arange(n) % 28, n), candidate, champion)


@pytest.mark.parametrize(("n", "differ"), [(20, 0.2), (25, 0.2), (40, 0.24), (60, 0.3), (120, 0.5)])
def test_a_slice_broken_by_what_must_be_ruled_out_hides_behind_a_good_parent_in_at_most_5_percent(n, differ):
    rng, runs = np.random.default_rng(n), 150
    gate, hidden = GATE(inconclusive_critical="borrow"), 0
    for _ in range(runs):
        broken = _item("tiny", _measured(rng, n, 0.20, differ), "critical")
        hidden += gate.judge(_evidence(broken), TERMS).answer is Answer.PROMOTE
    assert binom.sf(hidden - 1, runs, 0.05) > 0.01, f"{hidden} of {runs} broken slices were let through"


def test_an_equal_small_slice_may_usually_borrow():
    rng, gate = np.random.default_rng(0), GATE(inconclusive_critical="borrow")
    passed = [
        gate.judge(_evidence(_item("tiny", _measured(rng, 60, 0.0, 0.08), "critical")), TERMS).answer
        for _ in range(100)
    ]
    assert sum(a is Answer.PROMOTE for a in passed) > 70


def test_deficits_list_the_slices_that_lack_labels_those_that_block_first():
    unsure = _item("standard", _numbers(0.0, 0.04, 300))
    verdict = GATE().judge(_evidence(unsure, _item("tiny", _numbers(0.0, 0.09, 60), "critical")), TERMS)
    assert [(d.slice, d.blocking) for d in verdict.deficits] == [("tiny", True), ("standard", False)]
    tiny = verdict.deficits[0]
    assert (tiny.labels_needed, tiny.n) == (verdict.labels_needed["tiny"], 60)
    assert tiny.minimum_detectable == pytest.approx((1.645 + 0.8416) * 0.09 * 1.0, rel=0.35)
    assert f"{tiny.labels_needed:,} in tiny" in verdict.reason


def test_the_labels_asked_for_when_nobody_lends_settle_the_slice():
    parent = _item("origin=JFK", _numbers(-0.03, 0.003, 9000))
    tiny = _item("tiny", _numbers(0.0, 0.08, 120), "long_tail", "origin=JFK")
    gate = GATE(inconclusive_long_tail="borrow")
    finding = _tiny(gate.judge(_evidence(parent, tiny), TERMS))
    n = 120 + finding.labels_needed
    more = _item("tiny", _numbers(0.0, 0.08 * (120 / n) ** 0.5, n), "long_tail", "origin=JFK")
    assert "a break of .100 is ruled out" in _tiny(gate.judge(_evidence(parent, more), TERMS)).sentence
