"""AUC, F1 and other metrics that are no mean, from chosen labels; and the score made calibrated before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from continual.estimators._calibrate import Recalibration, recalibrate
from continual.estimators._difference import Fit
from continual.estimators._interval import shape, skewed
from continual.estimators.base import Spread
from continual.flows.surrogates import Served, estimated, label_free, row_values
from continual.metrics.base import METRICS

N = 4000
EVERY = np.ones(N, dtype=bool)
KINDS = ("roc_auc", "f1", "pr_auc", "brier", "log_loss", "accuracy")


def _metric(kind):
    return METRICS.build({"kind": kind, "owner": "test"} | ({"threshold": 0.3} if kind == "f1" else {}))


def _window(seed, labels=800, bend=1.0):
    """Served rows with labels chosen by uncertainty, and the same with every label. bend: slope of the truth."""
    rng = np.random.default_rng(seed)
    p = np.clip(rng.beta(0.9, 2.1, N), 0.005, 0.995)
    truth = 1 / (1 + (1 / p - 1) ** bend)
    y = (rng.random(N) < truth).astype(float)
    spread = 0.3 / N + 0.7 * np.sqrt(truth * (1 - truth)) / np.sqrt(truth * (1 - truth)).sum()
    pi = np.minimum(labels * spread, 1.0)
    seen = rng.random(N) < pi
    chosen = Served(np.where(seen, y, np.nan), p, truth, rng.integers(0, 20, N), pi)
    return chosen, replace(chosen, y=y, probability=None)


@pytest.mark.parametrize("kind", KINDS)
def test_with_every_label_it_is_the_metric(kind):
    _, whole = _window(0)
    metric = _metric(kind)
    found = estimated(metric, whole, EVERY, "window")
    assert found.value == pytest.approx(metric.estimate(whole.rows(), whole.score).value, abs=1e-9)
    assert "chosen: complete" in found.method


@pytest.mark.parametrize("kind", KINDS)
def test_s13_intervals_from_chosen_labels_cover_and_are_centred(kind):
    metric, covered, errors, widths = _metric(kind), [], [], []
    for seed in range(60):
        chosen, whole = _window(seed)
        truth = metric.estimate(whole.rows(), whole.score).value
        found = estimated(metric, chosen, EVERY, "window")
        covered.append(found.low <= truth <= found.high)
        errors.append(found.value - truth)
        widths.append(found.high - found.low)
    assert np.mean(covered) >= 0.87  # 60 runs: three deviations below 95%
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors)) + 2e-3
    assert np.mean(widths) < 6 * np.std(errors)
    assert found.n_labelled == np.isfinite(chosen.y).sum()


def test_s13_auc_of_the_chosen_labels_alone_is_off():
    """Uncertain rows are hard to rank: without weights the metric is far below the truth."""
    metric, plain, weighted = _metric("roc_auc"), [], []
    for seed in range(20):
        chosen, whole = _window(seed)
        part = whole.only(np.isfinite(chosen.y))
        truth = metric.estimate(whole.rows(), whole.score).value
        plain.append(metric.estimate(part.rows(), part.score).value - truth)
        weighted.append(estimated(metric, chosen, EVERY, "window").value - truth)
    assert np.mean(plain) < -0.02
    assert abs(np.mean(weighted)) < 0.3 * abs(np.mean(plain))


@pytest.mark.parametrize("kind", KINDS)
def test_without_labels_the_calibrated_score_speaks_and_says_so(kind):
    chosen, whole = _window(2, bend=0.5)
    metric = _metric(kind)
    found = estimated(metric, label_free(chosen), EVERY, "window")
    assert found.n_labelled == 0
    assert found.method.startswith("label-free (CBPE), early warning only")
    assert found.low <= metric.estimate(whole.rows(), whole.score).value <= found.high
    assert found.high - found.low < 0.2


def test_a_metric_no_estimator_knows_a_way_to_is_undefined_with_the_reason():
    rng = np.random.default_rng(3)
    scores = rng.dirichlet([1, 1, 1], 200)
    y = np.where(rng.random(200) < 0.5, rng.integers(0, 3, 200).astype(float), np.nan)
    served = Served(y, scores, scores, np.zeros(200, dtype=np.int64), np.full(200, 0.5))
    everything = np.ones(200, dtype=bool)
    assert estimated(_metric("log_loss"), served, everything, "window").defined
    found = estimated(_metric("roc_auc"), served, everything, "window")
    assert not found.defined
    assert found.n_labelled == np.isfinite(y).sum()
    assert not estimated(_metric("brier"), served, ~everything).defined
    assert row_values(_metric("f1"), served) is None


def test_a_score_that_is_no_probability_or_missing_gives_no_number():
    chosen, _ = _window(4)
    broken = replace(chosen, score=np.where(np.arange(N) == 7, np.nan, chosen.score))
    for kind in KINDS:
        assert estimated(_metric(kind), broken, EVERY).method == "undefined: a score is not finite"


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (0.6, 0.6), (-1.2, 0.0), (0.3, 1.8)])
def test_recalibration_finds_the_truth_behind_a_score(shift, slope):
    rng = np.random.default_rng(5)
    score = rng.uniform(0.02, 0.98, 40_000)
    chance = Recalibration(shift, slope)(score)
    y = (rng.random(len(score)) < chance).astype(float)
    found = recalibrate(score, y, 1 - y)
    assert (found.shift, found.slope) == pytest.approx((shift, slope), abs=0.06)
    bins = (score * 256).astype(int)
    counts = [np.bincount(bins, weights=w, minlength=256) for w in (y, 1 - y)]
    binned = recalibrate((np.arange(256) + 0.5) / 256, *counts)
    assert binned == pytest.approx(found, abs=0.01)


def test_without_labels_or_against_the_order_a_score_stays_sane():
    none = recalibrate(np.array([0.2, 0.7]), np.zeros(2), np.zeros(2))
    assert none == pytest.approx(Recalibration(), abs=1e-6)
    score = np.linspace(0.01, 0.99, 500)
    turned = recalibrate(score, 1 - score, score)
    assert turned.slope == 0.0


def test_a_skewed_estimate_has_a_longer_interval_on_the_side_of_its_surprises():
    low, high = skewed(1.0, Spread(0.1, 50, 0), 0.5)
    assert high - 1.0 > 1.0 - low > 0
    mirrored = skewed(1.0, Spread(0.1, 50, 0), -0.5)
    assert (2 - mirrored[1], 2 - mirrored[0]) == pytest.approx((low, high))
    plain = skewed(1.0, Spread(0.1, 50, 0), 0.0)
    assert plain[1] - 1.0 == pytest.approx(1.0 - plain[0])
    shares = np.r_[np.full(200, -0.01), 2.0]
    heavy = Fit(0.0, shares, 1.0, np.full(201, 10.0), np.full(201, 0.9), 0.0)
    skew, df = shape(heavy, window=True)
    assert skew > 0.5
    assert df < 5
    even = Fit(0.0, np.resize([0.01, -0.01], 200), 1.0, np.full(200, 10.0), np.full(200, 0.9), 0.0)
    assert shape(even, window=True)[0] == pytest.approx(0.0, abs=1e-9)
    assert shape(even, window=True)[1] > 1000
