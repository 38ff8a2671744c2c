from __future__ import annotations

import numpy as np
import pytest

from continual.core.stats.lasting import DayTable
from continual.core.stats.shared import FIRST_DAYS, MEMORY, adjusted, surprises


def _world(days=60, before=28, slices=10, n=50, shock=0.1, rest=0.0, since=0):
    """Days share a shock; from day `since` of the deployment all slices but the first move by `rest`."""
    rng = np.random.default_rng(0)
    shared, length = rng.normal(0, shock, days + before)[:, None], days + before
    mean = shared + rng.normal(0, 0.01, (length, slices))
    mean[before + since :, 1:] += rest
    own = DayTable(np.full(mean.shape, float(n)), mean, np.full(mean.shape, n * 0.04), before)
    total = np.full((length, 1), float(n * slices))
    return DayTable(total, mean.mean(1, keepdims=True), own.squares.sum(1, keepdims=True), before), own


def _less(whole, own, effect=0.0):
    found = surprises(whole, own, np.full((len(own.n) - own.before, 1), effect))
    return found, adjusted(own, found)


def test_a_shock_that_all_rows_share_is_taken_out_and_the_mean_of_weeks_stays():
    whole, own = _world()
    _, left = _less(whole, own)
    assert left.mean[:, 0].std() < own.mean[:, 0].std() / 3
    assert left.mean[28:, 0].mean() == pytest.approx(own.mean[28:, 0].mean(), abs=0.03)


def test_a_fault_of_one_slice_stays_in_it():
    whole, own = _world()
    broken = own.mean.copy()
    broken[58:, 0] += 0.2
    both = DayTable(whole.n, broken.mean(1, keepdims=True), whole.squares, 28), own._replace(mean=broken)
    before, after = _less(whole, own)[1], _less(*both)[1]
    assert after.mean[58:, 0] - before.mean[58:, 0] == pytest.approx(0.2)


def test_a_rest_that_improves_for_good_is_forgotten_after_the_memory():
    gain = _less(*_world(rest=-0.3, since=10))[1].mean[:, 0] - _less(*_world())[1].mean[:, 0]
    assert gain[38] == pytest.approx(0.3)
    assert gain[38 + MEMORY :] == pytest.approx(0.0, abs=1e-9)


def test_the_error_of_the_rests_mean_makes_the_slice_look_better_never_worse():
    careful, bold = (_less(*_world(), effect)[1].mean[28:, 0] for effect in (50.0, 0.0))
    assert np.all(careful < bold)


def test_only_earlier_days_foretell():
    whole, own = _world()
    later = own.mean.copy()
    later[70:] += 9
    changed = DayTable(whole.n, later.mean(1, keepdims=True), whole.squares, 28), own._replace(mean=later)
    assert np.array_equal(_less(whole, own, 5.0)[0][:70], _less(*changed, 5.0)[0][:70])


def test_nothing_is_said_without_earlier_days_without_rows_and_of_a_slice_that_is_the_day_itself():
    whole, own = _world(before=0)
    found, left = _less(whole, own)
    assert np.isnan(found[:FIRST_DAYS]).all() and np.isfinite(found[FIRST_DAYS:]).all()
    assert (left.n[:FIRST_DAYS] == 0).all()
    empty = own._replace(n=np.where(np.arange(60)[:, None] == 30, 0.0, own.n))
    assert np.isnan(_less(whole, empty)[0][30]).all()
    assert np.isnan(_less(whole, whole)[0]).all()
