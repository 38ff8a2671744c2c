from __future__ import annotations

import numpy as np
import pytest

from continual.core.stats.eprocess import LAMBDAS, STAKES, log_factor, shiryaev_roberts
from continual.errors import ContinualError


@pytest.mark.parametrize(("a", "b", "same"), [(0, 0, 5), (3, 1, 0), (0, 7, 2), (40, 55, 900)])
def test_right_wrong_losses_give_the_published_formula(a, b, same):
    rows = np.random.default_rng(0).permutation(np.repeat([1.0, -1.0, 0.0], [a, b, same]))
    assert log_factor(rows) == pytest.approx(a * np.log(1 + LAMBDAS) + b * np.log(1 - LAMBDAS))
    assert (len(LAMBDAS), LAMBDAS[0], LAMBDAS[-1]) == (14, pytest.approx(0.02), pytest.approx(0.9))


def test_paths_equal_the_plain_recursions():
    rng = np.random.default_rng(1)
    days = [rng.uniform(-1, 1, n) for n in (3, 0, 8, 5, 1)]
    m, detector = np.zeros(14), []
    for rows in days:
        factor = np.prod(1 + np.outer(LAMBDAS, rows), axis=1)
        m = (m + 1) * factor
        detector.append(m @ np.exp(STAKES))
    factors = [log_factor(rows) for rows in days]
    assert np.exp(STAKES).sum() == pytest.approx(1)
    assert np.exp(shiryaev_roberts(factors)) == pytest.approx(detector)


def test_evidence_of_a_broken_year_does_not_overflow():
    factors = [log_factor(np.ones(5000))] * 365
    assert np.isfinite(shiryaev_roberts(factors)[-1])
    assert shiryaev_roberts(factors)[-1] > 1e5


def test_false_alarms_stay_below_alpha_under_the_null():
    rng, alarms, runs = np.random.default_rng(2), 0, 300
    for _ in range(runs):
        factors = [log_factor(rng.choice([-1.0, 0.0, 1.0], 50, p=[0.05, 0.9, 0.05])) for _ in range(40)]
        alarms += max(shiryaev_roberts(factors)) >= np.log(40 / 0.05)
    assert alarms <= 0.05 * runs  # the bound is not tight: usually about 1%


def test_a_tolerated_excess_is_no_evidence():
    rows = np.full(10_000, 0.002)
    assert np.all(log_factor(rows, tolerated=0.0025) < 0)
    assert np.all(log_factor(rows) > 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.2, -1.0001])
def test_unbounded_or_missing_losses_are_refused(bad):
    with pytest.raises(ContinualError, match="within"):
        log_factor(np.array([0.0, bad]))
