from __future__ import annotations

import numpy as np
import pytest

from continual.core.stats.dependence import DaySums, day_sums
from continual.core.stats.lasting import LAG, DayTable, lasting_effects


def _days(shock, n=500, days=120, seed=0, jump_at=None, lasting=0.0, streams=1):
    """(days, streams) sums of n rows whose mean moves by an AR(1) shock."""
    rng = np.random.default_rng(seed)
    state, out = rng.normal(0, shock, streams), []
    for day in range(days):
        state = lasting * state + np.sqrt(1 - lasting**2) * rng.normal(0, shock, streams)
        jump = 0.5 if jump_at is not None and day >= jump_at else 0.0
        out.append([day_sums(jump + mean + rng.normal(0, 1, n)) for mean in state])
    return _table(out)


def _table(days, before=0):
    return DayTable(*np.moveaxis(np.array(days, dtype=float), -1, 0), before)


def _last(table, prior=0.003):
    return lasting_effects(table, prior)[-1]


def test_independent_days_need_no_discount_once_the_stream_has_shown_it():
    effects = lasting_effects(_days(0.0), 0.01)
    assert effects[-1] < 1.5
    assert 1 + 499 * 0.01 < effects[0] < 1 + 499 * 0.1


def test_shared_shocks_are_found():
    rho = 0.04 / 1.04
    assert _last(_days(0.2)) == pytest.approx(1 + 499 * rho, rel=0.35)


@pytest.mark.parametrize("lasting", [0.5, 0.8])
def test_shocks_that_last_weigh_by_their_long_run_variance(lasting):
    long_run = (1 + lasting) / (1 - lasting)
    found = np.median(_last(_days(0.2, days=365, lasting=lasting, streams=10)))
    assert 0.6 < found / (1 + 500 * 0.04 * long_run) < 1.6  # the grid is coarse
    assert np.median(_last(_days(0.2, days=365, streams=10))) < 1 + 500 * 0.04 * 1.6


def test_streams_lend_each_other_what_they_have_seen_and_none_of_itself():
    lasting, short = _days(0.2, days=200, lasting=0.8, streams=8), _days(0.2, days=28, lasting=0.8, seed=5)
    padded = [np.concatenate([np.zeros((172, 1)), part]) for part in short[:3]]
    together = DayTable(*(np.concatenate([a, b], axis=1) for a, b in zip(lasting[:3], padded, strict=True)))
    alone, helped = _last(DayTable(*padded)), _last(together)[-1]
    truth = 1 + 500 * 0.04 * 9
    assert abs(np.log(helped / truth)) < abs(np.log(alone[0] / truth))
    silent = DayTable(*(np.concatenate([a, 0 * a], axis=1) for a in short[:3]))
    assert _last(silent)[0] == pytest.approx(_last(short)[0])


def test_a_fault_teaches_only_after_a_lag():
    calm, broken = lasting_effects(_days(0.0), 0.01), lasting_effects(_days(0.0, jump_at=60), 0.01)
    assert broken[: 60 + LAG + 1] == pytest.approx(calm[: 60 + LAG + 1])
    assert broken[60 + LAG + 2] > 2 * calm[60 + LAG + 2]


def test_a_step_at_the_promotion_is_no_shock():
    days = _days(0.0, jump_at=28)
    known, unknown = (lasting_effects(DayTable(*days[:3], before), 0.01)[-1] for before in (28, 0))
    assert known < 1.5
    assert unknown > 5


def test_effects_look_only_back_and_zero_prior_switches_off():
    days = _days(0.1)
    changed = DayTable(days.n, np.where(np.arange(120)[:, None] >= 50, 9, days.mean), days.squares)
    assert np.array_equal(lasting_effects(days, 0.01)[:51], lasting_effects(changed, 0.01)[:51])
    assert np.all(lasting_effects(days, 0.0) == 1)


@pytest.mark.parametrize("day", [DaySums(1, 0.1, 0.0), DaySums(5000, 0.001, 1e-30), DaySums(0, 0.0, 0.0)])
def test_days_without_spread_or_rows_teach_nothing(day):
    effects = lasting_effects(_table([[day]] * 40), 0.01)
    assert np.all(effects == effects[0])
    assert np.all(np.isfinite(effects))


def test_no_day_has_no_effect():
    assert lasting_effects(DayTable(*np.zeros((3, 5, 2)), 5), 0.01).shape == (0, 2)
