"""Every sampler, found through its family: what it records as a row's chance is that row's chance (s13)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from continual.samplers import _columns, _systematic
from continual.samplers._designs import inclusion_probabilities, keyed_uniform, union
from continual.samplers.base import SAMPLERS, Pool

every_sampler = pytest.mark.parametrize("kind", SAMPLERS.kinds)
both_designs = pytest.mark.parametrize("design", ["poisson", "fixed"])
#: What a kind cannot do without.
COMPONENTS = [{"share": 1, "sampler": {"kind": k}} for k in ("margin", "slice_deficit", "newest")]
NEEDS = {"mixture": {"components": COMPONENTS}}
EVERYTHING = ("model", "rival", "committee", "slices", "needed", "event_time")


def _make(kind, **fields):
    return SAMPLERS.build({"kind": kind, **NEEDS.get(kind, {}), **fields})


class Line:
    """A fitted classifier of two numbers that answers at once: hundreds of draws ask it."""

    classes_ = np.array([0.0, 1.0])

    def __init__(self, k):
        self.k = k

    def predict_proba(self, features):
        p = 1 / (1 + np.exp(-(features["a"].to_numpy() + self.k * features["b"].to_numpy())))
        return np.stack([1 - p, p], axis=1)

    def predict(self, features):
        return (self.predict_proba(features)[:, 1] > 0.5).astype(float)


@pytest.fixture(scope="module")
def models():
    return [Line(k) for k in (0.1, 1, -1)]


def _bare(n=500, seed=1):
    """Nothing is known but keys and features."""
    rng = np.random.default_rng(seed)
    features = pd.DataFrame({"a": rng.normal(scale=3, size=n), "b": rng.normal(size=n)}, index=rng.permutation(n))
    return Pool(np.array([f"row-{i}" for i in range(n)], dtype=object), features)


def _pool(models, n=500, seed=1):
    """Everything is known."""
    bare, rng = _bare(n, seed), np.random.default_rng(seed + 1)
    return replace(
        bare,
        model=models[0],
        rival=models[1],
        committee=tuple(models),
        event_time=np.datetime64("2024-01-01", "us") + rng.integers(0, 30 * 86400, n) * np.timedelta64(1, "s"),
        slices={"small": rng.random(n) < 0.2, "a=1": rng.random(n) < 0.4, "empty": np.zeros(n, dtype=bool)},
        needed={"small": 45},
        calibration=lambda p: np.stack([0.4 + 0.2 * p[:, 0], 0.6 - 0.2 * p[:, 0]], axis=1),
    )


def _shuffled(pool, order):
    slices = {name: inside[order] for name, inside in pool.slices.items()}
    return replace(
        pool,
        keys=pool.keys[order],
        features=pool.features.iloc[order],
        event_time=pool.event_time[order],
        slices=slices,
        notes={},
    )


@every_sampler
@pytest.mark.parametrize("budget", [1, 100, 499])
def test_probabilities_sum_to_the_budget_and_none_is_zero(kind, budget, models):
    for pool in (_pool(models), _bare()):
        sample = _make(kind, budget=budget).draw(pool, seed=0)
        assert sample.probability.sum() == pytest.approx(budget, rel=1e-9)
        assert sample.probability.min() > 0
        assert sample.probability.max() <= 1
        assert sample.chosen.dtype == bool
        assert union(sample.components.values()) == pytest.approx(sample.probability)
        assert 1 - np.prod([1 - pi for pi in sample.components_of(3).values()]) == pytest.approx(sample.probability[3])


@every_sampler
@both_designs
def test_s13_rows_are_drawn_as_often_as_recorded(kind, design, models):
    pool, draws = _pool(models, n=150), 250
    sampler = _make(kind, budget=50, design=design)
    samples = [sampler.draw(pool, seed) for seed in range(draws)]
    pi = samples[0].probability
    assert all(np.array_equal(s.probability, pi) for s in samples)  # the seed draws, it does not weigh
    chosen = np.array([s.chosen for s in samples])
    inner = pi < 1
    z = (chosen.mean(axis=0) - pi)[inner] / np.sqrt(pi * (1 - pi) / draws)[inner]
    assert (z**2).sum() < chi2.ppf(0.9999, inner.sum()) and np.abs(z).max() < 5
    assert chosen[:, ~inner].all()
    value = (pool.features["a"].to_numpy() > 0.5).astype(float)
    totals = (chosen * value / pi).sum(axis=1)  # weighted by 1 / pi a total is unbiased
    assert totals.mean() == pytest.approx(value.sum(), abs=4 * totals.std() / np.sqrt(draws) + 1e-9)
    if design == "fixed":
        assert (chosen.sum(axis=1) == 50).all()
        return
    # rows are drawn independently: the size of the sample has the variance of a Poisson design
    variance = (pi * (1 - pi)).sum()
    assert chosen.sum(axis=1).var() == pytest.approx(variance, rel=0.4)
    assert chosen.sum(axis=1).mean() == pytest.approx(50, abs=5 * np.sqrt(variance / draws))


@every_sampler
def test_a_draw_is_repeatable_and_does_not_depend_on_the_order_of_the_pool(kind, models):
    pool, sampler = _pool(models), _make(kind, budget=120)
    first, again = sampler.draw(pool, seed=7), sampler.draw(pool, seed=7)
    assert np.array_equal(first.chosen, again.chosen)
    order = np.random.default_rng(3).permutation(len(pool))
    other = sampler.draw(_shuffled(pool, order), seed=7)
    assert np.array_equal(other.chosen, first.chosen[order])
    assert other.probability == pytest.approx(first.probability[order], rel=1e-9)
    assert not np.array_equal(sampler.draw(pool, seed=8).chosen, first.chosen)


def _chunked(kind, **fields):
    """A mixture hands its chunks on to nobody: its components say how much they read at a time."""
    if kind == "mixture":
        inner = [
            {"share": c["share"], "sampler": {**c["sampler"], **_chunked(c["sampler"]["kind"])}} for c in COMPONENTS
        ]
        return {"components": inner}
    return {"chunk": 64} if "chunk" in type(_make(kind)).model_fields else {}


class Sliced:
    """Rows that can be had a slice at a time and no other way, so that no sampler holds a whole pool."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, where):
        if isinstance(where, slice):
            assert where.stop - where.start <= 64
        return self.rows.iloc[where] if hasattr(self.rows, "iloc") else self.rows[where]


@every_sampler
@both_designs
def test_a_pool_larger_than_a_chunk_is_drawn_chunk_by_chunk(kind, design, models, monkeypatch):
    pool = _pool(models)
    whole = _make(kind, budget=120, design=design).draw(pool, seed=7)
    for function in (_columns.chunks, _columns.kept, _columns.Column.__init__):
        small = tuple(64 if default == _columns.CHUNK else default for default in function.__defaults__)
        monkeypatch.setattr(function, "__defaults__", small)
    monkeypatch.setattr(_systematic.systematic, "__defaults__", (64,))
    sampler = _make(kind, budget=120, design=design, **_chunked(kind))
    large = replace(
        pool,
        keys=Sliced(pool.keys),
        features=Sliced(pool.features),
        event_time=Sliced(pool.event_time),
        slices={name: Sliced(inside) for name, inside in pool.slices.items()},
        notes={},
    )
    pieces = list(sampler.pieces(large, seed=7))
    assert [piece.rows for piece in pieces] == list(_columns.chunks(500, 64))
    assert np.concatenate([piece.probability for piece in pieces]) == pytest.approx(whole.probability, rel=1e-9)
    assert np.array_equal(np.concatenate([piece.chosen for piece in pieces]), whole.chosen)


@every_sampler
@pytest.mark.parametrize("budget", [None, 500, 10_000])
def test_without_need_to_choose_every_row_is_taken(kind, budget):
    sample = _make(kind, budget=budget).draw(_bare(), seed=0)
    assert sample.chosen.all()
    assert (sample.probability == 1).all()


@every_sampler
def test_a_budget_of_the_moment_goes_before_the_policys(kind, models):
    sample = _make(kind, budget=400).draw(_pool(models), seed=0, budget=50)
    assert sample.probability.sum() == pytest.approx(50)


@every_sampler
def test_an_empty_pool_gives_an_empty_sample(kind):
    sample = _make(kind, budget=5).draw(_bare(n=0), seed=0)
    assert (len(sample.chosen), len(sample.probability)) == (0, 0)


@pytest.mark.parametrize("kind", [k for k in SAMPLERS.kinds if k != "diverse"])  # it reads the features alone
def test_s22_without_a_champion_the_draw_is_uniform(kind):
    sample = _make(kind, budget=100).draw(_bare(), seed=0)
    assert sample.probability == pytest.approx(np.full(500, 0.2))


@every_sampler
@pytest.mark.parametrize("field", EVERYTHING)
def test_says_what_it_reads(kind, field, models):
    """The probabilities depend on what a sampler says it reads and on nothing else of the pool."""
    pool, sampler = _pool(models), _make(kind, budget=200)
    without = replace(pool, **{field: getattr(_bare(), field)}, notes={})
    same = np.allclose(*(sampler.draw(p, seed=0).probability for p in (pool, without)))
    assert same != (field in sampler.reads)


@every_sampler
def test_numbers_are_either_served_or_refused_when_the_policy_is_read(kind):
    """Regression: models with `predict` alone."""
    sampler = _make(kind, budget=100)
    if "regression" not in sampler.tasks:
        return
    rng = np.random.default_rng(0)
    lines = [SimpleNamespace(predict=lambda x, k=k: np.asarray(x["a"] + k * x["b"] ** 2)) for k in (0, 1, 2)]
    pool = replace(_pool([None] * 3), model=lines[0], rival=lines[1], committee=tuple(lines), calibration=None)
    assert sampler.draw(pool, seed=int(rng.integers(9))).probability.sum() == pytest.approx(100)


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
