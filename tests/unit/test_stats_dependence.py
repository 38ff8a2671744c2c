from __future__ import annotations

import numpy as np
import pytest

from continual.core.stats.dependence import design_effects


def _days(shock, n=500, days=120, seed=0, jump_at=None):
    rng = np.random.default_rng(seed)
    jump = [0.5 if jump_at is not None and day >= jump_at else 0.0 for day in range(days)]
    return [jump[day] + rng.normal(0, shock) + rng.normal(0, 1, n) for day in range(days)]


def test_independent_days_need_no_discount_once_the_stream_has_shown_it():
    assert design_effects(_days(0.0), 0.01)[-1] < 1.5
    assert design_effects(_days(0.0), 0.01)[0] == pytest.approx(1 + 499 * 0.01)


def test_shared_shocks_are_found():
    rho = 0.04 / 1.04
    assert design_effects(_days(0.2), 0.003)[-1] == pytest.approx(1 + 499 * rho, rel=0.35)


def test_a_fault_that_starts_once_is_not_day_noise():
    before, after = design_effects(_days(0.0, jump_at=60), 0.01)[59], design_effects(_days(0.0, jump_at=60), 0.01)[-1]
    assert after < before + 3  # a variance around the mean would make it above 25


def test_effects_look_only_back_and_zero_prior_switches_off():
    days = _days(0.1)
    changed = [*days[:50], *[d + 9 for d in days[50:]]]
    assert design_effects(days, 0.01)[:51] == design_effects(changed, 0.01)[:51]
    assert design_effects(days, 0.0) == [1.0] * len(days)
    assert design_effects([np.array([0.1])] * 3, 0.01) == [1.0] * 3
    assert design_effects([], 0.01) == []
