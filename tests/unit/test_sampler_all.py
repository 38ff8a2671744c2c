"""Every sampler, found through its family: what it records as a row's chance is that row's chance (s13)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression

from continual.samplers._designs import inclusion_probabilities, keyed_uniform
from continual.samplers.base import SAMPLERS, Pool

every_sampler = pytest.mark.parametrize("kind", SAMPLERS.kinds)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)})
    return LogisticRegression().fit(features, features["a"] + rng.normal(size=400) > 0)


def _pool(model, n=500, seed=1):
    rng = np.random.default_rng(seed)
    features = pd.DataFrame({"a": rng.normal(scale=3, size=n), "b": rng.normal(size=n)}, index=rng.permutation(n))
    return Pool(np.array([f"row-{i}" for i in range(n)], dtype=object), features, model)


def _shuffled(pool, order):
    return Pool(pool.keys[order], pool.features.iloc[order], pool.model)


@every_sampler
@pytest.mark.parametrize("budget", [1, 100, 499])
def test_probabilities_sum_to_the_budget_and_none_is_zero(kind, budget, model):
    sample = SAMPLERS.get(kind)(budget=budget).draw(_pool(model), seed=0)
    assert sample.probability.sum() == pytest.approx(budget, rel=1e-9)
    assert sample.probability.min() > 0
    assert sample.probability.max() <= 1
    assert sample.chosen.dtype == bool


@every_sampler
def test_s13_rows_are_drawn_as_often_as_recorded(kind, model):
    pool, draws = _pool(model, n=200), 400
    sampler = SAMPLERS.get(kind)(budget=60)
    samples = [sampler.draw(pool, seed) for seed in range(draws)]
    pi = samples[0].probability
    assert all(np.array_equal(s.probability, pi) for s in samples)  # the seed draws, it does not weigh
    chosen = np.array([s.chosen for s in samples])
    inner = pi < 1
    z = (chosen.mean(axis=0) - pi)[inner] / np.sqrt(pi * (1 - pi) / draws)[inner]
    assert (z**2).sum() < chi2.ppf(0.9999, inner.sum())
    assert np.abs(z).max() < 5
    assert chosen[:, ~inner].all()
    # rows are drawn independently: the size of the sample has the variance of a Poisson design
    variance = (pi * (1 - pi)).sum()
    assert chosen.sum(axis=1).var() == pytest.approx(variance, rel=0.35)
    assert chosen.sum(axis=1).mean() == pytest.approx(60, abs=5 * np.sqrt(variance / draws))


@every_sampler
def test_weighted_by_one_over_pi_a_total_is_unbiased(kind, model):
    pool, sampler = _pool(model, n=200), SAMPLERS.get(kind)(budget=60)
    value = (pool.features["a"].to_numpy() > 0.5).astype(float)
    samples = [sampler.draw(pool, seed) for seed in range(400)]
    totals = np.array([(value[s.chosen] / s.probability[s.chosen]).sum() for s in samples])
    assert totals.mean() == pytest.approx(value.sum(), abs=4 * totals.std() / np.sqrt(len(totals)))


@every_sampler
def test_a_draw_is_repeatable_and_does_not_depend_on_the_order_of_the_pool(kind, model):
    pool, sampler = _pool(model), SAMPLERS.get(kind)(budget=120)
    first, again = sampler.draw(pool, seed=7), sampler.draw(pool, seed=7)
    assert np.array_equal(first.chosen, again.chosen)
    order = np.random.default_rng(3).permutation(len(pool))
    other = sampler.draw(_shuffled(pool, order), seed=7)
    assert np.array_equal(other.chosen, first.chosen[order])
    assert other.probability == pytest.approx(first.probability[order], rel=1e-9)
    assert not np.array_equal(sampler.draw(pool, seed=8).chosen, first.chosen)


@every_sampler
@pytest.mark.parametrize("budget", [None, 500, 10_000])
def test_without_need_to_choose_every_row_is_taken_and_no_model_is_read(kind, budget):
    sample = SAMPLERS.get(kind)(budget=budget).draw(_pool(model=None), seed=0)
    assert sample.chosen.all()
    assert (sample.probability == 1).all()


@every_sampler
def test_an_empty_pool_gives_an_empty_sample(kind):
    sample = SAMPLERS.get(kind)(budget=5).draw(_pool(model=None, n=0), seed=0)
    assert (len(sample.chosen), len(sample.probability)) == (0, 0)


@every_sampler
def test_s22_without_a_champion_the_draw_is_uniform(kind):
    sample = SAMPLERS.get(kind)(budget=100).draw(_pool(model=None), seed=0)
    assert sample.probability == pytest.approx(np.full(500, 0.2))


@every_sampler
def test_says_whether_it_reads_the_model(kind, model):
    """A sampler that claims not to need the model must draw the same without it."""
    cls = SAMPLERS.get(kind)
    with_model, without = (cls(budget=100).draw(_pool(m), seed=0).probability for m in (model, None))
    assert np.allclose(with_model, without) != ("model" in cls(budget=100).reads)


weights = st.lists(st.floats(0, 1e308, allow_subnormal=True), min_size=1, max_size=60).filter(any)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(weights, st.integers(1, 70))
def test_inclusion_probabilities_of_any_weights(values, budget):
    w = np.array(values)
    pi = inclusion_probabilities(w, budget)
    assert pi.sum() == pytest.approx(min(budget, np.count_nonzero(w)), rel=1e-9)
    assert ((pi >= 0) & (pi <= 1)).all()
    order = np.argsort(w)
    assert (np.diff(pi[order]) >= -1e-12).all()  # a heavier row is never less likely
    assert (pi[w == 0] == 0).all()


def test_below_the_cap_probabilities_are_proportional_to_weights():
    assert inclusion_probabilities(np.array([1.0, 2.0, 3.0]), 1) == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    # 100 is capped at 1; the two labels left are shared 1:2:5
    assert inclusion_probabilities(np.array([1.0, 2.0, 5.0, 100.0]), 2) == pytest.approx([1 / 8, 2 / 8, 5 / 8, 1])


@pytest.mark.parametrize("bad", [[], [0, 0], [1, -1], [1, np.nan], [1, np.inf]])
def test_weights_that_are_no_weights_are_refused(bad):
    with pytest.raises(ValueError, match="finite, non-negative and not all zero"):
        inclusion_probabilities(np.array(bad, dtype=float), 1)


def test_keyed_numbers_are_uniform_and_unrelated_between_seeds():
    keys = np.array([f"flight-{i}" for i in range(20_000)], dtype=object)
    one, two = keyed_uniform(keys, 0), keyed_uniform(keys, 1)
    assert one.min() >= 0
    assert one.max() < 1
    counts = np.histogram(one, bins=20, range=(0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < chi2.ppf(0.9999, 19)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03
    assert keyed_uniform(np.array(["a", "b"], dtype=object), 2**32 - 1).shape == (2,)


def test_a_draw_is_the_same_in_every_release():
    """Recorded datasets name sampler and seed; their rows must come back."""
    assert keyed_uniform(np.array(["a", "b"], dtype=object), 5) == pytest.approx(
        [0.2234879485048813, 0.6437974438414642], abs=1e-15
    )
