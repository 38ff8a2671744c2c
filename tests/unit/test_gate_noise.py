"""Wrong labels in the gate: taken out where their share is known, refused where they lean to a model or nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from continual.core.canonical import canonical_json
from continual.core.estimate import Comparison, Estimate
from continual.core.label_noise import LabelNoise, NoiseRate
from continual.core.stats.denoised import noise_adjusted, of_majority
from continual.core.stats.noise import symmetric_noise
from continual.core.stats.review import anchoring
from continual.core.verdict import OVERALL, Answer, GateEvidence, MetricEvidence, SliceClass, SliceEvidence
from continual.gates.base import GATES, MetricTerms
from continual.metrics.base import METRICS, Rows
from continual.stores.entry import storable

ETA = 0.15
KINDS = ("accuracy", "brier", "log_loss", "roc_auc")
METRIC = {kind: METRICS.get(kind)(owner="test") for kind in (*KINDS, "f1")}
WINDOW = {"start": "2024-01-01T00:00:00+00:00", "end": "2024-01-29T00:00:00+00:00"}


def _models(rng, n, own=0.6):
    """Truth, and two models' probabilities; the second ranks worse and is timid."""
    logit = rng.normal(-0.6, 1.3, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    new, old = (1 / (1 + np.exp(-logit - rng.normal(0, s, n))) for s in (own, 0.9))
    return y, new, 0.15 + 0.7 * old


def _wrong(rng, y, eta=ETA):
    return np.where(rng.random(len(y)) < eta, 1 - y, y)


def _doubled(rng, n=400, eta=ETA):
    y = rng.integers(0, 2, n).astype(float)
    return symmetric_noise(*(_wrong(rng, y, eta).astype(int) for _ in range(2)))


def _rows(y):
    return Rows(y, np.ones(len(y)), np.arange(len(y)) % 28, len(y))


def _adjusted(metric, y, candidate, champion, noise):
    rows = _rows(y)
    found = metric.compare(rows, candidate, champion)
    return noise_adjusted(found, noise, metric.noise_terms(rows, candidate, champion))


@pytest.mark.parametrize("kind", KINDS)
def test_the_difference_of_right_labels_comes_back_and_its_interval_covers_it(kind):
    rng, metric, covered, gains, raw = np.random.default_rng(1), METRIC[kind], 0, [], []
    y, new, old = _models(rng, 400_000)
    truth = metric.compare(_rows(y), new, old).gain
    for _ in range(200):
        y, new, old = _models(rng, 2000)
        noisy = _wrong(rng, y)
        raw.append(metric.compare(_rows(noisy), new, old).gain)
        found = _adjusted(metric, noisy, new, old, _doubled(rng))
        covered += found.low <= truth <= found.high
        gains.append(found.gain)
    assert abs(np.mean(gains) - truth) < 3 * np.std(gains) / np.sqrt(200) + 0.05 * truth
    assert covered / 200 >= 0.92
    assert abs(np.mean(raw) - truth) > 0.2 * truth, "or noise does nothing"


def test_several_people_are_wrong_more_seldom_than_one():
    one = NoiseRate(Estimate(0.1, 0.08, 0.12, 300, 300, "x"), 0.01)
    assert of_majority(one, 1) is one
    three = of_majority(one, 3)
    assert three.estimate.value == pytest.approx(0.028)
    assert of_majority(one, 2) == three, "where two differ a third decides"
    assert three.se == pytest.approx(6 * 0.1 * 0.9 * 0.01, rel=0.01)
    unknown = NoiseRate(Estimate.undefined(3, 3, "few"), None)
    assert of_majority(unknown, 3) is unknown


def test_a_ranking_of_a_class_as_rare_as_wrong_labels_says_nothing():
    found = Comparison(0.01, 0.004, 0.002, 0.018, 0.99, 900, "paired")
    rng = np.random.default_rng(2)
    y, new, old = _models(rng, 500)
    terms = METRIC["roc_auc"].noise_terms(_rows((y * 0 + (np.arange(500) < 60)).astype(float)), new, old)
    assert "as many may be wrong" in noise_adjusted(found, _doubled(rng), terms).method


def _slice(name, y, new, old, kind, noise=True):
    metric, rows = METRIC[kind], _rows(y)
    terms = metric.noise_terms(rows, new, old) if noise else None
    parts = (metric.estimate(rows, new), metric.estimate(rows, old), metric.compare(rows, new, old), terms)
    return SliceEvidence(name, "standard", None, (MetricEvidence(kind, "primary", *parts),))


def _evidence(whole, kind="accuracy", noise=None, part=None):
    slices = (_slice(OVERALL, *whole, kind), *([_slice("s", *part, kind)] if part else []))
    return GateEvidence("v2", "v1", slices, ("s",) if part else (), WINDOW, WINDOW["end"], history=(), noise=noise)


def _judge(evidence, kind="accuracy", margin=0.02, **fields):
    terms = {kind: MetricTerms("primary", margin, None, METRIC[kind].higher_is_better)}
    return GATES.get("graded")(**fields).judge(evidence, terms)


def _known(eta=ETA, refused=""):
    return LabelNoise(NoiseRate(Estimate(eta, eta - 0.02, eta + 0.02, 900, 900, "double labels"), 0.01), refused)


def _worse(rng, n, by=0.024, differ=0.03):
    """Right decisions of two models of which the first is worse by so much."""
    y = rng.integers(0, 2, n).astype(float)
    draw = rng.random(n)
    old = np.where(rng.random(n) < 0.8, y, 1 - y)
    new = np.where(draw < (differ + by) / 2, 1 - y, np.where(draw < differ, y, old))
    old = np.where(draw < (differ + by) / 2, y, np.where(draw < differ, 1 - y, old))
    return y, new, old


def test_wrong_labels_prove_a_slice_that_right_ones_do_not():
    """2.4 points worse at a margin of 2: a quarter of wrong labels shows 1.2 and calls it proven."""
    rng, seen = np.random.default_rng(3), {}
    for _ in range(20):
        y, new, old = _worse(rng, 40_000)
        evidence = _evidence((y, y, old), noise=_known(0.25), part=(_wrong(rng, y, 0.25), new, old))
        for setting in ("ignore", "measured", 0.25):
            verdict = _judge(evidence, label_noise=setting, trivial=0.03)
            (finding,) = [f for f in verdict.findings if f.slice == "s"]
            seen.setdefault(setting, []).append(finding.slice_class is SliceClass.PROVEN)
    assert sum(seen["ignore"]) >= 15
    assert sum(seen["measured"]) == sum(seen[0.25]) == 0


def test_timid_probabilities_do_not_win_by_wrong_labels():
    """Probabilities drawn to one half fit labels of which a quarter is wrong, and are worse by right ones."""
    rng, answers = np.random.default_rng(4), {"ignore": [], "measured": []}
    for _ in range(20):
        logit = rng.normal(0, 2.0, 4000)
        old = 1 / (1 + np.exp(-logit))
        y = (rng.random(4000) < old).astype(float)
        evidence = _evidence((_wrong(rng, y, 0.25), 0.25 + 0.5 * old, old), "brier", _known(0.25))
        for setting, found in answers.items():
            found.append(_judge(evidence, "brier", 0.01, label_noise=setting).answer)
    assert set(answers["ignore"]) == {Answer.PROMOTE}
    assert set(answers["measured"]) == {Answer.REJECT}


def test_a_candidate_that_is_better_passes_with_its_noise_said_and_replays_to_the_byte():
    rng = np.random.default_rng(5)
    y, new, old = _models(rng, 12_000, own=0.2)
    evidence = _evidence((_wrong(rng, y), new, old), "roc_auc", LabelNoise(_doubled(rng, 900)))
    verdict = _judge(evidence, "roc_auc", label_noise="measured")
    assert verdict.answer is Answer.PROMOTE
    assert "of 900 double labels) are taken out of every comparison." in verdict.reason
    again = _judge(GateEvidence.from_dict(storable(evidence.as_dict())), "roc_auc", label_noise="measured")
    assert canonical_json(again.as_dict()) == canonical_json(verdict.as_dict())
    plain = replace(evidence, noise=None)
    assert "noise" not in plain.as_dict()
    assert "Wrong labels" not in _judge(plain, "roc_auc").reason


@pytest.mark.parametrize("seed", range(20))
def test_labels_of_anchored_annotators_judge_nothing(seed):
    """The labels that judge lean to the champion's answer, the second ones do not: refused each time, whoever wins."""
    rng = np.random.default_rng(seed)
    y, new, old = _models(rng, 6000, own=0.1)
    said = (old >= 0.5).astype(float)
    first = np.where(rng.random(6000) < 0.3, said, _wrong(rng, y, 0.1))
    twice = slice(0, 1200)
    led = anchoring(first[twice].astype(int), _wrong(rng, y[twice], 0.1).astype(int), said[twice].astype(int))
    noise = LabelNoise(_doubled(rng), led.reason if led.anchored else "")
    verdict = _judge(_evidence((first, new, old), noise=noise), label_noise="measured")
    assert verdict.answer is Answer.REJECT
    assert "the labels must not judge: labels lean to the model's answer" in verdict.reason
    assert verdict.spending is None, "what was not judged takes nothing of the year's budget"


def test_what_is_not_known_is_said_and_refused():
    y, new, old = _models(np.random.default_rng(6), 3000, own=0.1)
    few = LabelNoise(NoiseRate(Estimate.undefined(3, 3, "3 rows have two labels, 5 are needed"), None))
    cases = {
        "holds no measurement": _evidence((y, new, old)),
        "3 rows have two labels, 5 are needed; raise labelling.double": _evidence((y, new, old), noise=few),
        "overall: wrong labels cannot be taken out of f1": _evidence((y, new, old), "f1", _known()),
    }
    for said, evidence in cases.items():
        kind = evidence.slices[0].metrics[0].metric
        verdict = _judge(evidence, kind, label_noise="measured")
        assert verdict.answer is Answer.REJECT
        assert said in verdict.reason
