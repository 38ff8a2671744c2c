"""Designs: unions of components, and a fixed size with exactly the probabilities that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from continual.samplers import _systematic
from continual.samplers._columns import column
from continual.samplers._designs import inclusion_probabilities, keyed_uniform
from continual.samplers._designs import union as union_of
from continual.samplers._designs import united as united_columns

KEYS = np.array([f"row-{i}" for i in range(150)], dtype=object)


def systematic(pi, uniform, strata, seed, size=1000):
    groups = None if strata is None else column(strata)
    return _systematic.systematic(column(pi), column(uniform), groups, seed, size).array()


def united(given, free, budget):
    return {name: pi.array() for name, pi in united_columns(given, free, budget).items()}


def _draws(pi, strata, n=1000):
    return np.array([systematic(pi, keyed_uniform(KEYS, s), strata, s) for s in range(n)])


@pytest.mark.parametrize("strata", [None, np.arange(150) % 4])
def test_s13_a_fixed_size_has_exactly_its_probabilities_and_size(strata):
    pi = inclusion_probabilities(np.random.default_rng(0).gamma(0.4, size=150) + 0.01, 40)
    chosen = _draws(pi, strata)
    assert (chosen.sum(axis=1) == 40).all()
    inner = pi < 1
    z = ((chosen.mean(axis=0) - pi) / np.sqrt(np.maximum(pi * (1 - pi), 1e-12) / len(chosen)))[inner]
    assert (z**2).sum() < chi2.ppf(0.9999, inner.sum())
    assert chosen[:, ~inner].all()


def test_inside_strata_the_number_is_the_expected_one_up_or_down():
    strata = np.arange(150) % 4
    pi = inclusion_probabilities(np.random.default_rng(1).random(150) + 0.1, 40)
    expected = np.bincount(strata, weights=pi)
    for one in _draws(pi, strata, 200):
        got = np.bincount(strata, weights=one)
        assert (np.abs(got - expected) < 1 + 1e-9).all()


@pytest.mark.parametrize("strata", [None, np.arange(150) % 4, np.sort(np.arange(150) % 3)])
def test_a_pool_that_is_put_in_order_piece_by_piece_gives_the_same_rows(strata):
    pi = inclusion_probabilities(np.random.default_rng(4).gamma(0.4, size=150) + 0.01, 40)
    for seed in range(30):
        uniform = keyed_uniform(KEYS, seed)
        whole, pieces = (systematic(pi, uniform, strata, seed, size) for size in (150, 7))
        assert np.array_equal(whole, pieces) and whole.sum() == 40


def test_a_fixed_size_is_less_noisy_than_independent_draws():
    """The Poisson variance that estimates use is on the safe side for it."""
    pi, value = np.full(150, 40 / 150), np.random.default_rng(2).random(150) + 1
    totals = (_draws(pi, None, 600) * value / pi).sum(axis=1)
    assert totals.mean() == pytest.approx(value.sum(), abs=4 * totals.std() / np.sqrt(600))
    assert totals.var() < 0.2 * ((1 - pi) / pi * value**2).sum()


@pytest.mark.parametrize("budget", [20, 60, 110])
def test_components_make_the_budget_together(budget):
    rng = np.random.default_rng(3)
    floor = np.where(np.arange(150) < 30, 0.3, 0.0)
    free = {
        "flat": inclusion_probabilities(np.ones(150), (budget - 9) * 0.6),
        "sharp": inclusion_probabilities(rng.gamma(0.2, size=150), (budget - 9) * 0.4),
    }
    out = united({"floor": floor}, free, budget)
    pi = union_of(out.values())
    assert pi.sum() == pytest.approx(budget, rel=1e-9)
    assert pi == pytest.approx(1 - (1 - out["floor"]) * (1 - out["flat"]) * (1 - out["sharp"]))
    assert np.array_equal(out["floor"], floor)
    assert (pi <= 1).all()


def test_a_budget_that_only_certain_rows_can_meet_is_met_as_far_as_it_goes():
    free = {"few": np.where(np.arange(150) < 10, 1.0, 0.0)}
    assert union_of(united({}, free, 30).values()).sum() == pytest.approx(10)
