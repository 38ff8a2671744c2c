from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from continual.core.canonical import canonical_json
from continual.core.estimate import Comparison, Estimate
from continual.core.stats.tails import lower_tail
from continual.core.verdict import OVERALL, Answer, GateEvidence, MetricEvidence, SliceClass, SliceEvidence
from continual.gates.base import GATES, MetricTerms
from continual.metrics.base import METRICS, Rows

GATE = GATES.get("graded")
TERMS = {"roc_auc": MetricTerms("primary", 0.02, 0.6, True), "brier": MetricTerms("guardrail", 0.01, None, False)}
SCORES = {"roc_auc": (0.74, 0.73), "brier": (0.150, 0.152)}


def _metric(name="roc_auc", gain=0.01, se=0.002, n=7000, **changes):
    candidate, champion = SCORES[name]
    comparison = Comparison(
        gain, se, gain - 1.96 * se, gain + 1.96 * se, lower_tail(gain / se, None) if se else 0.5, n, "paired"
    )
    parts = {
        "metric": name,
        "priority": TERMS[name].priority,
        "candidate": Estimate(candidate, candidate - 0.01, candidate + 0.01, n + 100, n, "test"),
        "champion": Estimate(champion, champion - 0.01, champion + 0.01, n + 100, n, "test"),
        "comparison": comparison,
    }
    return MetricEvidence(**{**parts, **changes})


def _slice(name=OVERALL, tier="standard", parent=None, **roc):
    brier = _metric("brier", gain=0.001, se=0.0005, n=roc.get("n", 7000))
    return SliceEvidence(name, tier, parent, (_metric(**roc), brier))


def _evidence(*slices, **changes):
    slices = slices or (_slice(), _slice("new_aircraft", n=1120, gain=0.0, se=0.005))
    names = tuple(item.slice for item in slices if item.slice != OVERALL)
    window = {"start": "2013-07-01T00:00:00+00:00", "end": "2013-07-29T00:00:00+00:00"}
    return replace(GateEvidence("v4", "v3", slices, names, window, "2013-08-01T00:00:00+00:00"), **changes)


def _judge(evidence, terms=None, **fields):
    return GATE(**fields).judge(evidence, TERMS if terms is None else terms)


def _empty_metric(name):
    none = Estimate.undefined(0, 0, "no labelled rows")
    comparison = Comparison.undefined(0, "no labelled rows")
    return _metric(name, candidate=none, champion=none, comparison=comparison)


def _empty_slice(tier):
    return SliceEvidence("tiny", tier, None, (_empty_metric("roc_auc"), _empty_metric("brier")))


# Whole decisions on real metrics


def _world(rng, sizes, fault=None, edge=0.0, metrics=("roc_auc",), values=False):
    """Evidence of two models on slices of the given sizes; fault: slice whose candidate scores are inverted.

    values: also measure each model by itself, which no decision of the gate needs, to save the time.
    """
    n = sum(sizes)
    where, day = np.repeat(np.arange(len(sizes)), sizes), rng.integers(0, 28, n)
    logit = rng.normal(-1.3, 1.2, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit - rng.normal(0, 0.5, 28)[day]))).astype(float)
    noise = [rng.normal(0, scale, n) for scale in (0.4 - edge, 0.4)]
    candidate, champion = (1 / (1 + np.exp(-logit + shift)) for shift in noise)
    if fault is not None:
        candidate = np.where(where == fault, 1 - candidate, candidate)
    everywhere = [_measured(OVERALL, np.full(n, True), y, day, candidate, champion, metrics, values)]
    parts = [_measured(f"s{k}", where == k, y, day, candidate, champion, metrics, values) for k in range(len(sizes))]
    terms = {}
    for index, kind in enumerate(metrics):
        cls = METRICS.get(kind)
        terms[kind] = MetricTerms("guardrail" if index else "primary", 0.02, None, cls.higher_is_better)
    return _evidence(*everywhere, *parts), terms


def _measured(name, mask, y, day, candidate, champion, metrics, values):
    rows, found = Rows(y[mask], np.ones(mask.sum()), day[mask], int(mask.sum())), []
    placeholder = Estimate(0.7, 0.6, 0.8, rows.n, rows.n, "not measured")
    for index, kind in enumerate(metrics):
        metric, a, b = METRICS.get(kind)(owner="x"), candidate[mask], champion[mask]
        found.append(
            MetricEvidence(
                metric=kind,
                priority="guardrail" if index else "primary",
                candidate=metric.estimate(rows, a) if values else placeholder,
                champion=metric.estimate(rows, b) if values else placeholder,
                comparison=metric.compare(rows, a, b),
            )
        )
    return SliceEvidence(name, "standard", None, tuple(found))


def test_s14_better_overall_with_one_inverted_slice_is_blocked_and_named():
    evidence, terms = _world(
        np.random.default_rng(0), [9000, 150, 6000], fault=1, edge=0.4, metrics=("roc_auc", "brier"), values=True
    )
    overall = evidence.slices[0].metrics[0].comparison
    assert overall.low > 0, "the aggregate must look better, or the scenario is not the scenario"
    verdict = _judge(evidence, terms)
    assert verdict.answer is Answer.REJECT
    assert verdict.blocking == ("s1",)
    assert "s1: roc_auc" in verdict.reason
    assert "HARM" in verdict.reason
    assert "v3 stays champion" in verdict.reason
    assert {f.slice for f in verdict.findings if f.slice_class is SliceClass.HARM} == {"s1"}


@pytest.mark.parametrize("kinds", [("roc_auc",), ("accuracy", "log_loss")])
def test_s29_equal_candidates_are_vetoed_by_slices_within_the_published_bound(kinds):
    rng, vetoes, runs = np.random.default_rng(29), 0, 200
    sizes = [20, 30, 50, 90, 200, 500]
    for _ in range(runs):
        verdict = _judge(*_world(rng, sizes, metrics=kinds))
        harmed = {f.slice for f in verdict.findings if f.slice_class is SliceClass.HARM} - {OVERALL}
        vetoes += bool(harmed)
        if harmed:
            assert verdict.answer is Answer.REJECT
    assert binom.sf(vetoes - 1, runs, 0.10) > 0.01, f"{vetoes} of {runs} equal candidates vetoed, 10% promised"


def test_s29_equal_candidates_are_rarely_promoted_and_better_ones_usually():
    rng = np.random.default_rng(3)
    answers = [[_judge(*_world(rng, [200, 400, 1400], edge=e)).answer for _ in range(60)] for e in (0.0, 0.4)]
    promoted = [sum(a is Answer.PROMOTE for a in found) for found in answers]
    assert binom.sf(promoted[0] - 1, 60, 0.05) > 0.001, f"{promoted[0]} of 60 equal candidates promoted"
    assert promoted[1] >= 50


def test_a_broken_slice_of_300_rows_is_blocked_nearly_always():
    rng, runs = np.random.default_rng(4), 40
    for _ in range(runs):
        evidence, terms = _world(rng, [3000, 300, 60, 40, 2000], fault=1, edge=0.4)
        verdict = _judge(evidence, terms)
        assert verdict.answer is Answer.REJECT
        assert "s1" in verdict.blocking


# Fail closed


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["gain", "se", "low", "high", "p_harm", "df"])
@pytest.mark.parametrize("index", [0, 1])
def test_s15_non_finite_comparisons_are_refused_and_named(bad, where, index):
    slices = list(_evidence().slices)
    metric = slices[index].metrics[0]
    broken = replace(metric, comparison=replace(metric.comparison, **{where: bad}))
    slices[index] = replace(slices[index], metrics=(broken, slices[index].metrics[1]))
    verdict = _judge(_evidence(*slices))
    assert verdict.answer is Answer.REJECT
    assert verdict.blocking == (slices[index].slice,)
    assert f"{slices[index].slice}: roc_auc" in verdict.reason


@pytest.mark.parametrize("who", ["candidate", "champion"])
@pytest.mark.parametrize("where", ["value", "low", "high"])
def test_s15_non_finite_estimates_are_refused(who, where):
    metric = _metric()
    broken = replace(metric, **{who: replace(getattr(metric, who), **{where: math.nan})})
    verdict = _judge(_evidence(SliceEvidence(OVERALL, "standard", None, (broken, _metric("brier")))))
    assert verdict.answer is Answer.REJECT
    assert who in verdict.reason


def test_s15_nan_that_became_null_in_json_is_still_refused():
    metric = _metric()
    broken = replace(metric, comparison=replace(metric.comparison, p_harm=math.nan))
    evidence = _evidence(SliceEvidence(OVERALL, "standard", None, (broken, _metric("brier"))))
    again = GateEvidence.from_dict(json.loads(canonical_json(evidence)))
    assert _judge(again).answer is Answer.REJECT


def test_s17_a_configured_slice_missing_in_the_evidence_is_refused():
    verdict = _judge(_evidence(configured_slices=("new_aircraft", "carrier=UA")))
    assert verdict.answer is Answer.REJECT
    assert verdict.blocking == ("carrier=UA",)
    assert "carrier=UA is configured but missing" in verdict.reason


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        (_evidence(slices=()), "empty"),
        (_evidence(_slice("new_aircraft")), "overall is configured but missing"),
        (_evidence(_slice(), _slice("a"), _slice("a")), "2 times"),
        (_evidence(_slice(), _slice("a", tier="vip")), "unknown tier"),
        (_evidence(_slice(), _slice("a", parent="b")), "rolls up to b"),
        (_evidence(SliceEvidence(OVERALL, "standard", None, (_metric(),))), "brier (guardrail) is missing"),
        (_evidence(SliceEvidence(OVERALL, "standard", None, (_metric(), _metric()))), "missing"),
        (_evidence(_slice(priority="report")), "evaluated as report"),
        (_evidence(_slice(comparison=None)), "not compared"),
        (_evidence(_slice(comparison=Comparison.undefined(0, "one class"))), "one class"),
        (
            _evidence(replace(_slice(), metrics=(*_slice().metrics, _metric(metric="auc")))),
            "auc is in the evidence but not",
        ),
        (_evidence(_slice(n=60)), "60 labelled rows"),
        (_evidence(window_uses=-1), "window_uses"),
    ],
)
def test_s17_whatever_is_missing_or_unknown_rejects_with_a_sentence(evidence, says):
    verdict = _judge(evidence)
    assert verdict.answer is Answer.REJECT
    assert says in verdict.reason
    assert verdict.blocking


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({}, "exactly one primary"),
        ({"roc_auc": MetricTerms("guardrail", 0.02, 0.6, True)}, "exactly one primary metric, got none"),
        ({name: MetricTerms("primary", 0.02, 0.6, True) for name in TERMS}, "got roc_auc, brier"),
        ({**TERMS, "brier": MetricTerms("guardrails", 0.02, None, False)}, "unknown priority"),
        ({**TERMS, "brier": MetricTerms("guardrail", math.nan, None, False)}, "margin of brier"),
        ({**TERMS, "brier": MetricTerms("guardrail", -0.1, None, False)}, "margin of brier"),
        ({**TERMS, "roc_auc": MetricTerms("primary", 0.02, math.nan, True)}, "floor of roc_auc"),
    ],
)
def test_s27_a_policy_without_usable_terms_is_refused(terms, says):
    verdict = _judge(_evidence(), terms)
    assert verdict.answer is Answer.REJECT
    assert says in verdict.reason


def test_s22_s27_the_first_champion_needs_a_floor_on_the_primary_metric_and_must_reach_it():
    first = _evidence(champion=None)
    bare = {**TERMS, "roc_auc": MetricTerms("primary", 0.02, None, True)}
    refused = _judge(first, bare)
    assert refused.answer is Answer.REJECT
    assert "set `floor` of roc_auc" in refused.reason
    assert _judge(first).answer is Answer.PROMOTE
    assert "keeps its floor .600" in _judge(first).reason
    low = _judge(first, {**TERMS, "roc_auc": MetricTerms("primary", 0.02, 0.75, True)})
    assert low.answer is Answer.REJECT
    assert "roc_auc .740 misses its floor .750" in low.reason


def test_s22_floors_bind_later_candidates_too_and_are_ceilings_where_lower_is_better():
    ceiling = {**TERMS, "brier": MetricTerms("guardrail", 0.01, 0.14, False)}
    verdict = _judge(_evidence(), ceiling)
    assert verdict.answer is Answer.REJECT
    assert "brier .150 misses its ceiling .140" in verdict.reason
    assert (
        _judge(_evidence(champion=None), {**TERMS, "brier": MetricTerms("guardrail", 0.01, 0.16, False)}).answer
        == "promote"
    )


def test_s22_a_first_champion_with_an_undefined_judged_metric_is_refused():
    overall = SliceEvidence(OVERALL, "standard", None, (_metric(), _empty_metric("brier")))
    assert _judge(_evidence(overall, champion=None)).answer is Answer.REJECT


# Overall


@pytest.mark.parametrize("mode", ["improve", "non_inferior"])
def test_s21_a_tie_keeps_the_champion(mode):
    verdict = _judge(_evidence(_slice(gain=0.0, se=0.0)), overall=mode)
    assert verdict.answer is Answer.REJECT
    assert "tie" in verdict.reason


def test_overall_needs_a_gain_or_with_non_inferior_no_loss_beyond_the_margin():
    slightly_worse = _evidence(_slice(gain=-0.004, se=0.003))
    assert _judge(slightly_worse).answer is Answer.REJECT
    assert _judge(slightly_worse, overall="non_inferior").answer is Answer.PROMOTE
    assert _judge(_evidence(_slice(gain=-0.03, se=0.003)), overall="non_inferior").answer is Answer.REJECT


def test_a_gain_too_small_for_its_rows_is_rejected_with_the_labels_that_would_settle_it():
    verdict = _judge(_evidence(_slice(gain=0.002, se=0.002)))
    assert verdict.answer is Answer.REJECT
    needed = verdict.findings[1].labels_needed  # after the floor of roc_auc
    assert needed == pytest.approx(7000 * (1.645 + 0.8416) ** 2 - 7000, rel=0.01)
    assert f"{needed:,} more labels" in verdict.reason


def test_reused_windows_spend_the_level_of_the_improvement():
    evidence = _evidence(_slice(gain=0.01, se=0.0055))  # z = 1.82
    assert _judge(evidence).answer is Answer.PROMOTE
    verdict = _judge(replace(evidence, window_uses=1))  # z = 1.96 needed
    assert verdict.answer is Answer.REJECT
    assert "1 earlier uses" in verdict.reason


@pytest.mark.parametrize(
    ("gain", "se", "answer"), [(-0.03, 0.005, "reject"), (-0.008, 0.001, "promote"), (-0.02, 0.03, "promote")]
)
def test_a_guardrail_may_lose_its_margin_but_not_more(gain, se, answer):
    overall = SliceEvidence(OVERALL, "standard", None, (_metric("brier", gain=gain, se=se), _metric()))
    verdict = _judge(_evidence(overall))
    assert verdict.answer == answer
    assert "overall: roc_auc" in verdict.reason or "overall: brier" in verdict.reason


def test_s20_shifting_or_negating_the_baseline_changes_nothing():
    """There is no relative comparison: values of the champion enter no decision, only differences do."""

    def moved(value):
        def metric(**fields):
            return _metric(**fields, champion=Estimate(value, value - 0.01, value + 0.01, 7100, 7000, "test"))

        slices = [
            SliceEvidence(OVERALL, "standard", None, (metric(), _metric("brier", gain=0.001, se=0.0005))),
            SliceEvidence("a", "standard", None, (metric(gain=-0.2, se=0.02), _metric("brier", gain=0.001, se=0.0005))),
        ]
        return _judge(_evidence(*slices))

    answers = [moved(value) for value in (0.73, 0.0, -0.5)]
    assert {verdict.answer for verdict in answers} == {Answer.REJECT}
    assert {verdict.blocking for verdict in answers} == {("a",)}


# Slices


def test_findings_carry_one_sentence_the_detectable_size_and_the_labels():
    verdict = _judge(
        _evidence(_slice(), _slice("new_aircraft", gain=-0.205, se=0.023, n=1120), _slice("b", gain=0.0, se=0.02))
    )
    harm = next(f for f in verdict.findings if f.slice == "new_aircraft" and f.metric == "roc_auc")
    assert harm.sentence.startswith("new_aircraft: roc_auc .730 -> .740 (gain -.205, 95% [-.250, -.160], harm p=")
    assert harm.sentence.endswith("after Holm over 4 tests, n=1,120): HARM")
    assert harm.sentence in verdict.reason
    unsure = next(f for f in verdict.findings if f.slice == "b" and f.metric == "roc_auc")
    assert unsure.slice_class is SliceClass.INCONCLUSIVE
    assert unsure.minimum_detectable == pytest.approx((1.9600 + 0.8416) * 0.02, rel=0.01)  # .10 over 4 tests
    assert unsure.labels_needed > 0
    assert f"could not see less than {unsure.minimum_detectable:.3f}".replace("0.", ".") in unsure.sentence


def test_trivial_harms_of_huge_slices_do_not_block():
    huge = _slice("a", gain=-0.002, se=0.0002, n=900_000)
    assert _judge(_evidence(_slice(), huge)).answer is Answer.PROMOTE
    assert _judge(_evidence(_slice(), huge), trivial=0.001).answer is Answer.REJECT


def test_critical_slices_are_vetoed_at_their_own_higher_level():
    # p = .03; two slices of two metrics: Holm 4 x .03 = .12
    def pair(tier):
        return _evidence(_slice(), _slice("a", tier=tier, gain=-0.0188, se=0.01), _slice("b"))

    assert _judge(pair("standard")).answer is Answer.PROMOTE
    assert _judge(pair("critical")).answer is Answer.REJECT


@pytest.mark.parametrize(
    ("tier", "choice", "answer"),
    [
        ("critical", "label", "need_labels"),
        ("critical", "block", "reject"),
        ("critical", "allow", "promote"),
        ("standard", "label", "promote"),
        ("long_tail", "label", "promote"),
    ],
)
@pytest.mark.parametrize("make", [_empty_slice, lambda tier: _slice("tiny", tier, gain=0.0, se=0.2, n=25)])
def test_s18_slices_without_enough_evidence_follow_their_tier(tier, choice, answer, make):
    verdict = _judge(_evidence(_slice(), make(tier)), inconclusive_critical=choice)
    assert verdict.answer == answer
    assert "tiny" in verdict.reason
    if answer == "need_labels":
        assert verdict.labels_needed["tiny"] > 0
        assert f"{verdict.labels_needed['tiny']:,} in tiny" in verdict.reason
    tiny = next(f for f in verdict.findings if f.slice == "tiny")
    assert tiny.slice_class in (SliceClass.NOT_EVALUABLE, SliceClass.INCONCLUSIVE)


def test_s18_the_labels_asked_for_settle_the_slice():
    """A slice that asks for labels and gets them, still without a difference, is let through."""
    before = _slice("tiny", "critical", gain=0.0, se=0.2, n=120)
    needed = _judge(_evidence(_slice(), before)).labels_needed["tiny"]
    after = _slice("tiny", "critical", gain=0.0, se=0.2 * (120 / (120 + needed)) ** 0.5, n=120 + needed)
    assert _judge(_evidence(_slice(), after)).answer is Answer.PROMOTE


def test_a_critical_slice_with_a_likely_gain_is_not_blocked_for_want_of_proof():
    likely = _evidence(_slice(), _slice("a", "critical", gain=0.02, se=0.03, n=400))
    verdict = _judge(likely)
    finding = next(f for f in verdict.findings if f.slice == "a" and f.metric == "roc_auc")
    assert finding.slice_class is SliceClass.INCONCLUSIVE
    assert "a break of .100 is ruled out" in finding.sentence
    assert verdict.answer is Answer.PROMOTE


def test_standard_slices_roll_up_and_do_not_pass_under_a_harmed_parent():
    parent = _slice("origin=JFK", gain=-0.2, se=0.02)
    child = _slice("JFK x UA", parent="origin=JFK", gain=-0.01, se=0.05, n=90)
    verdict = _judge(_evidence(_slice(), parent, child))
    assert verdict.answer is Answer.REJECT
    assert verdict.blocking == ("origin=JFK", "JFK x UA")
    text = next(f.sentence for f in verdict.findings if f.slice == "JFK x UA" and f.metric == "roc_auc")
    assert "rolls up to origin=JFK, which is harmed" in text


def test_parents_in_a_circle_end():
    circle = [_slice("a", parent="b", se=0.1), _slice("b", parent="a", se=0.1)]
    assert _judge(_evidence(_slice(), *circle)).answer is Answer.PROMOTE


def test_a_harm_outweighs_labels_still_needed():
    verdict = _judge(_evidence(_slice(), _empty_slice("critical"), _slice("a", gain=-0.2, se=0.02)))
    assert verdict.answer is Answer.REJECT
    assert verdict.blocking == ("a",)


def test_s28_every_answer_has_one_sentence_with_names():
    cases = [
        _evidence(),
        _evidence(_slice(gain=0)),
        _evidence(_slice(), _empty_slice("critical")),
        _evidence(champion=None),
    ]
    for evidence in cases:
        verdict = _judge(evidence)
        assert verdict.reason.endswith(".")
        assert "None" not in verdict.reason
        assert "nan" not in verdict.reason.lower().replace("new_aircraft", "")
        if verdict.answer is not Answer.PROMOTE:
            assert verdict.blocking
            assert verdict.blocking[0] in verdict.reason


def test_slices_below_min_rows_cannot_veto_and_do_not_count_in_the_correction():
    tiny = _slice("tiny", gain=-0.3, se=0.02, n=19)
    verdict = _judge(_evidence(_slice(), tiny, _slice("b")))
    assert verdict.answer is Answer.PROMOTE
    of = {(f.slice, f.metric): f for f in verdict.findings}
    assert of["tiny", "roc_auc"].slice_class is SliceClass.NOT_EVALUABLE
    assert of["tiny", "roc_auc"].p_adjusted is None
    assert "over 2 tests" in of["b", "roc_auc"].sentence
    assert _judge(_evidence(_slice(), tiny, _slice("b")), min_rows=19).answer is Answer.REJECT


@pytest.mark.parametrize("changes", [{"low": 0.5}, {"high": -0.5}, {"p_harm": 1.5}, {"p_harm": -0.1}, {"se": -1.0}])
def test_numbers_that_contradict_each_other_are_refused(changes):
    metric = _metric()
    broken = replace(metric, comparison=replace(metric.comparison, **changes))
    verdict = _judge(_evidence(SliceEvidence(OVERALL, "standard", None, (broken, _metric("brier")))))
    assert verdict.answer is Answer.REJECT
    assert "not finite or not complete" in verdict.reason


def test_the_verdict_replays_from_its_stored_evidence_and_is_plain_json():
    evidence = _evidence(_slice(), _empty_slice("critical"), window_uses=1)
    again = GateEvidence.from_dict(json.loads(canonical_json(evidence)))
    assert canonical_json(_judge(again)) == canonical_json(_judge(evidence))


def test_schema_documents_every_parameter():
    schema = GATE.model_json_schema()
    assert schema["properties"]["kind"]["const"] == "graded"
    assert all(field.get("description") for field in schema["properties"].values())
