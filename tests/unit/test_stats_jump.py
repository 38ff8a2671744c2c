"""Shares of rows that drift are expected where the drift takes them; shares that do not are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from continual.core.stats.jump import jump, reference

DAYS, AHEAD, SLICES, SHARES = 28, 7, 6, 3
WEEKDAY = np.arange(DAYS + AHEAD) % 7


def _counts(slope, rows=400, seed=0, week=0.0, runs=60):
    """(D, R, S, C) rows below a cut whose share moves by `slope` a day; all rows first."""
    rng, day = np.random.default_rng(seed), np.arange(DAYS + AHEAD)
    share = 0.3 + slope * day + week * (WEEKDAY == 5)
    found = rng.binomial(rows, share[:, None, None, None], (len(day), runs, SLICES - 1, SHARES)).astype(float)
    counts = np.concatenate([found.sum(axis=2, keepdims=True), found], axis=2)
    totals = np.full(counts.shape, float(rows))
    totals[:, :, 0] *= SLICES - 1
    return counts, totals


def _newest(counts, totals, width=1):
    past = reference(
        counts[:DAYS], totals[:DAYS], WEEKDAY[:DAYS], np.ones(counts[:DAYS].shape), np.zeros(SHARES, int), AHEAD
    )
    new = slice(DAYS + AHEAD - width, DAYS + AHEAD)
    return past, jump(counts[new], totals[new], WEEKDAY[new], past)


@pytest.mark.parametrize("width", [1, 7])
def test_a_drift_is_expected_to_go_on(width):
    _, found = _newest(*_counts(0.008, week=0.1), width)
    assert abs(found.effect[:, 0].mean()) < 0.02  # without: .008 x 20.5 days = .164
    assert np.mean(found.size[:, 0] > 4) < 0.02


def test_slices_that_drift_alike_have_no_drift_of_their_contrast():
    past, _ = _newest(*_counts(0.008))
    assert np.abs(past.trend.slope[:, 1:]).mean() < 0.1 * np.abs(past.trend.slope[:, 0]).mean()


def test_without_drift_little_is_paid_for_it():
    past, found = _newest(*_counts(0.0))
    full = 20.5**2 / (DAYS * 64)  # what carrying a free slope this far would cost
    assert past.trend.by_days[:, 1:].mean() < 0.4 * full
    assert np.mean(found.size > 4) < 0.002


def test_the_sizes_of_quiet_days_are_not_larger_than_normal_ones():
    for slope in (0.0, 0.004):
        size = _newest(*_counts(slope, rows=200, seed=5, runs=200))[1].size
        assert np.mean(size > 1.96) < 0.07
        assert np.mean(size > 3.29) < 0.004


def test_a_few_days_tell_no_drift():
    counts, totals = _counts(0.008)
    past = reference(counts[:14], totals[:14], WEEKDAY[:14], np.ones(counts[:14].shape), np.zeros(SHARES, int))
    assert not past.trend.slope.any()
    assert not past.trend.by_rows.any()


def test_a_jump_on_top_of_a_drift_is_its_own_size():
    counts, totals = _counts(0.004)
    counts[-1, :, 1] += 0.3 * totals[-1, :, 1]
    counts[-1, :, 0] += 0.3 * totals[-1, :, 1]
    _, found = _newest(counts, totals)
    assert found.effect[:, 1].mean() == pytest.approx(0.3, abs=0.03)
    assert np.median(found.size[:, 1]) > 6
