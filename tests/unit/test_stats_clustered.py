from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from continual.core.stats.clustered import weighted_mean


def test_few_days_give_the_one_sample_t_interval():
    values = np.random.default_rng(0).normal(0.1, 1, 40)
    mean, spread = weighted_mean(values, np.ones(40), np.arange(40) % 4)
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    assert (mean - spread.half_width, mean + spread.half_width) == pytest.approx((low, high), rel=1e-9)
    assert spread.days == 0


def test_rows_repeated_within_days_count_as_one_day_each():
    per_day = np.random.default_rng(1).normal(0, 1, 12)
    days = np.repeat(np.arange(12), 30)
    mean, spread = weighted_mean(np.repeat(per_day, 30), np.full(360, 2.0), days)
    assert mean == pytest.approx(per_day.mean())
    assert spread.se == pytest.approx(stats.sem(per_day), rel=1e-9)
    assert (spread.days, spread.df) == (12, 11)


def test_days_that_cancel_do_not_make_the_interval_narrower_than_independent_rows():
    values = np.tile([1.0, -1.0], 50)  # each day sums to 0: the cluster variance alone would be 0
    _, spread = weighted_mean(values, np.ones(100), np.repeat(np.arange(10), 10))
    assert spread.days == 0
    assert spread.se == pytest.approx(stats.sem(values))


def test_coverage_with_day_shocks_is_honest():
    rng = np.random.default_rng(2)
    days, covered, runs = np.repeat(np.arange(14), 20), 0, 400
    for _ in range(runs):
        values = rng.normal(0, 0.5, 14)[days] + rng.normal(0, 1, len(days))
        mean, spread = weighted_mean(values, np.ones(len(days)), days)
        covered += abs(mean) <= spread.half_width
    assert stats.binom.cdf(covered, runs, 0.95) > 0.001, f"covered {covered} of {runs}"


def test_equal_values_have_no_spread_despite_rounding():
    mean, spread = weighted_mean(np.full(30, 0.1), np.random.default_rng(0).random(30), np.arange(30))
    assert mean == pytest.approx(0.1)
    assert spread.se == spread.half_width == 0.0
