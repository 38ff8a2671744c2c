"""Intervals of metrics hold what they promise, on independent rows, on shared days, and on any ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_references import REFERENCES, B, M, R, binary, cells_of, data_of, metric_of, take
from scipy.stats import binom

from continual.metrics.base import Rows

#: kind, task; the calibration error and KS are above the truth by construction, their interval reaches down for it.
SIMULATED = [("precision", B), ("f1", M), ("pr_auc", B), ("lift", B), ("rmse", R), ("r2", R), ("bias", R), ("ks", B)]


@pytest.mark.parametrize(("kind", "task"), [*SIMULATED, ("calibration_error", B)])
@pytest.mark.parametrize("from_cells", [False, True])
def test_intervals_cover_the_truth_on_independent_rows(kind, task, from_cells):
    metric, (every, model) = metric_of(kind), data_of(task, 999, n=60_000)
    score, rng, runs, covered = model(0.5, 1), np.random.default_rng(1), 150, 0
    truth = metric.estimate(every, score).value
    for _ in range(runs):
        drawn = rng.integers(0, len(every), 300)
        rows = take(every, drawn, 300)
        found = metric.estimate(rows, score[drawn])
        if from_cells:
            (found,) = metric.from_cells(cells_of(metric, rows, score[drawn], task))
        covered += found.low <= truth <= found.high
    assert binom.cdf(covered, runs, 0.95) > 0.001, f"{covered} of {runs}"
    assert kind in ("ks", "calibration_error") or covered < runs


@pytest.mark.parametrize("kind", ["recall", "pr_auc", "rmse", "bias"])
def test_intervals_cover_the_truth_when_rows_share_days(kind):
    rng, metric, covered, runs = np.random.default_rng(2), metric_of(kind), 0, 200
    draws = [_shocked(rng, kind) for _ in range(runs)]
    every = Rows(*(np.concatenate([getattr(d[0], a) for d in draws]) for a in ("y", "weight", "day")), n=1)
    truth = metric.estimate(every, np.concatenate([d[1] for d in draws])).value
    clustered = 0
    for rows, score in draws:
        found = metric.estimate(rows, score)
        covered += found.low <= truth <= found.high
        clustered += "clustered by 30 days" in found.method
    assert clustered > runs / 2
    # 30 clusters and a skewed metric: a little under nominal is the known price of CR1.
    assert binom.cdf(covered, runs, 0.92) > 0.001, f"{covered} of {runs}"


def _shocked(rng, kind):
    day, shock = np.repeat(np.arange(30), 40), rng.normal(0, 0.8, 30)
    logit = rng.normal(-0.5, 1, 1200) + shock[day]
    if kind in ("rmse", "bias"):
        return Rows(logit + shock[day], np.ones(1200), day, 1200), logit + rng.normal(0, 1, 1200)
    y = (rng.random(1200) < 1 / (1 + np.exp(-logit))).astype(float)
    return Rows(y, np.ones(1200), day, 1200), 1 / (1 + np.exp(-logit - shock[day] - rng.normal(0, 1, 1200)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(1, 9)), min_size=8, max_size=40))
def test_any_ties_and_weights_give_the_reference_inside_its_interval(rows):
    y, level, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    y[:4], score = [0, 0, 1, 1], level / 4
    given_rows = Rows(y, weight, np.arange(len(y)) % 7, len(y))
    for kind in ("roc_auc", "pr_auc", "ks", "lift", "f1", "recall", "calibration_error"):
        found = metric_of(kind).estimate(given_rows, score)
        assert found.value == pytest.approx(REFERENCES[kind][0][2](y, score, weight), abs=1e-9)
        assert found.low - 1e-12 <= found.value <= found.high + 1e-12


def test_an_uninformative_score_has_a_ks_and_calibration_interval_down_to_zero():
    rng, reached, runs = np.random.default_rng(3), {"ks": 0, "calibration_error": 0}, 100
    for _ in range(runs):
        score = rng.random(200)
        pure, calibrated = binary(rng.random(200) < 0.3), binary(rng.random(200) < score)
        reached["ks"] += metric_of("ks").estimate(pure, score).low == 0
        reached["calibration_error"] += metric_of("calibration_error").estimate(calibrated, score).low <= 0.005
    assert min(reached.values()) >= 93, reached
