"""The metrics whose error rates are published, on binary rows. `test_metric_universal` finds every metric."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from continual.metrics.base import METRICS, Rows

ORACLES = {
    "roc_auc": roc_auc_score,
    "log_loss": log_loss,
    "brier": brier_score_loss,
    "accuracy": lambda y, score, sample_weight=None: accuracy_score(y, score >= 0.5, sample_weight=sample_weight),
}
every_metric = pytest.mark.parametrize("kind", ORACLES)


def _metric(kind, **fields):
    return METRICS.get(kind)(owner="risk", **fields)


def _rows(seed, n=300, weighted=True, base=0.3):
    rng = np.random.default_rng(seed)
    logit = rng.normal(np.log(base / (1 - base)), 1.2, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    weight = rng.uniform(0.5, 8, n) if weighted else np.ones(n)
    return Rows(y, weight, rng.integers(0, 20, n), n + 50), logit


def _score(logit, noise, seed):
    return 1 / (1 + np.exp(-(logit + np.random.default_rng(seed).normal(0, noise, len(logit)))))


@every_metric
@pytest.mark.parametrize("seed", range(3))
def test_estimate_equals_scikit_learn_on_weighted_rows_with_ties(kind, seed):
    rows, logit = _rows(seed)
    score = np.round(_score(logit, 0.5, seed), 2)
    found = _metric(kind).estimate(rows, score)
    assert found.value == pytest.approx(ORACLES[kind](rows.y, score, sample_weight=rows.weight), rel=1e-9)
    assert found.low < found.value < found.high
    assert (found.n, found.n_labelled) == (350, 300)


@every_metric
def test_gain_is_the_oracle_difference_and_positive_when_the_candidate_is_better(kind):
    rows, logit = _rows(7, n=2000)
    good, bad = _score(logit, 0.1, 1), _score(-logit, 1.0, 2)
    metric = _metric(kind)
    found, back = metric.compare(rows, good, bad), metric.compare(rows, bad, good)
    sign = 1 if metric.higher_is_better else -1
    oracle = [ORACLES[kind](rows.y, s, sample_weight=rows.weight) for s in (good, bad)]
    assert found.gain == pytest.approx(sign * (oracle[0] - oracle[1]), rel=1e-9)
    assert found.gain > 0
    assert found.low > 0
    assert found.p_harm > 0.999
    assert back.gain == pytest.approx(-found.gain)
    assert back.p_harm < 1e-6


@every_metric
@pytest.mark.parametrize("weighted", [True, False])
def test_identical_scores_are_a_tie_never_nan(kind, weighted):
    rows, logit = _rows(3, weighted=weighted)
    score = _score(logit, 0.5, 0)
    found = _metric(kind).compare(rows, score, score.copy())
    assert found.gain == 0
    assert 0.4 <= found.p_harm <= 1
    assert np.isfinite([found.se, found.low, found.high]).all()
    assert found.low <= 0 <= found.high


@every_metric
def test_s18_what_cannot_be_evaluated_is_undefined_never_zero(kind):
    metric = _metric(kind)
    rows, logit = _rows(5)
    score = _score(logit, 0.5, 0)
    none = Rows(np.array([]), np.array([]), np.array([], dtype=np.int64), 40)
    few = Rows(rows.y[:4], rows.weight[:4], rows.day[:4], 40)
    nan = np.where(np.arange(300) == 17, np.nan, score)
    for case, scores in ((none, np.array([])), (few, score[:4]), (rows, nan)):
        estimate, comparison = metric.estimate(case, scores), metric.compare(case, scores, scores)
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
        assert not comparison.defined
        assert estimate.method.startswith("undefined: ")
        assert (estimate.n, estimate.n_labelled) == (case.n, len(case))
    assert "not evaluable" in metric.estimate(few, score[:4]).method
    infinite = np.where(np.arange(300) == 17, np.inf, score)
    assert not metric.compare(rows, score, infinite).defined


@every_metric
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_is_undefined_for_ranking_and_defined_for_losses(kind, label):
    rows, logit = _rows(6)
    one = Rows(np.full(300, label), rows.weight, rows.day, 300)
    score = _score(logit, 0.5, 0)
    assert _metric(kind).estimate(one, score).defined is (kind != "roc_auc")
    assert _metric(kind).compare(one, score, score / 2).defined is (kind != "roc_auc")


@every_metric
def test_perfect_scores_keep_an_honest_interval(kind):
    rows, _ = _rows(8, n=40, weighted=False)
    found = _metric(kind).estimate(rows, rows.y * 0.98 + 0.01)
    assert np.isfinite([found.value, found.low, found.high]).all()
    if kind in ("roc_auc", "accuracy"):
        assert found.value == 1
        assert found.low < 0.97


@every_metric
def test_total_inversion_has_finite_certain_harm(kind):
    rows, _ = _rows(9, n=60, weighted=False)
    right = rows.y * 0.98 + 0.01
    found = _metric(kind).compare(rows, 1 - right, right)
    assert found.gain < -0.5
    assert found.p_harm < 1e-4
    assert found.low <= found.gain <= found.high


@every_metric
def test_intervals_cover_and_equal_candidates_are_rarely_harmed_under_day_shocks(kind):
    rng, metric, covered, harmed, runs = np.random.default_rng(11), _metric(kind), 0, 0, 200
    for _ in range(runs):
        day = rng.integers(0, 20, 120)
        logit = rng.normal(-1, 1, 120)
        y = (rng.random(120) < 1 / (1 + np.exp(-logit - rng.normal(0, 0.7, 20)[day]))).astype(float)
        rows = Rows(y, np.ones(120), day, 120)
        found = metric.compare(rows, *(1 / (1 + np.exp(-logit + rng.normal(0, 0.4, 120))) for _ in range(2)))
        covered += found.low <= 0 <= found.high
        harmed += found.p_harm <= 0.05
    assert binom.cdf(covered, runs, 0.95) > 0.001, f"{covered} of {runs}"
    assert binom.sf(harmed - 1, runs, 0.05) > 0.001, f"{harmed} of {runs}"


@pytest.mark.parametrize("kind", ["brier", "log_loss"])
def test_a_slice_that_happens_to_have_one_label_does_not_convict(kind):
    # 30 rows without a positive: every row says 'worse', although one positive would turn the result.
    rows = Rows(np.zeros(30), np.ones(30), np.arange(30), 30)
    candidate, champion = np.full(30, 0.06), np.full(30, 0.04)
    assert _metric(kind).compare(rows, candidate, champion).p_harm > 0.05


def test_accuracy_uses_its_threshold_and_the_mid_p_test_on_unweighted_rows():
    y = np.array([1.0] * 20 + [0.0] * 20)
    rows = Rows(y, np.ones(40), np.zeros(40, dtype=np.int64), 40)
    champion = np.where(y == 1, 0.4, 0.1)
    candidate = champion.copy()
    candidate[:8] = 0.2  # eight rows only the champion gets right
    metric = _metric("accuracy", threshold=0.3)
    assert metric.estimate(rows, champion).value == 1
    found = metric.compare(rows, candidate, champion)
    assert found.gain == pytest.approx(-8 / 40)
    assert found.p_harm == pytest.approx(0.5**9)
    assert found.discordant == 8


def test_scores_outside_the_unit_interval_are_no_probabilities():
    rows, logit = _rows(2)
    assert not _metric("brier").estimate(rows, logit).defined
    assert not _metric("log_loss").estimate(rows, logit).defined
    assert _metric("roc_auc").estimate(rows, logit).defined


@every_metric
def test_schema_documents_every_parameter(kind):
    schema = METRICS.get(kind).model_json_schema()
    assert schema["properties"]["kind"]["const"] == kind
    assert all(field.get("description") for field in schema["properties"].values())
    assert schema["description"]


def test_scores_of_another_length_are_a_programming_error():
    rows, logit = _rows(2)
    with pytest.raises(ValueError, match="one length"):
        _metric("brier").estimate(rows, logit[:-1])
