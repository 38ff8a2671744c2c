"""Every estimator, found through its family: none can be added without these promises."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from continual.core.stats.clustered import weighted_mean
from continual.estimators._choose import choose, estimate
from continual.estimators.base import ESTIMATORS, Draws, Evidence

N = 400
every_estimator = pytest.mark.parametrize("kind", ESTIMATORS.kinds)
every_target = pytest.mark.parametrize("target", ["traffic", "window"])
WEIGHTED = ["aipw", "hajek", "ppi_pp"]
weighted = pytest.mark.parametrize("kind", WEIGHTED)


def _build(kind, **fields):
    return ESTIMATORS.get(kind)(**fields)


def _evidence(seed=0, n=N, labels=120.0, binary=True):
    """Poisson labels with known unequal probabilities."""
    rng = np.random.default_rng(seed)
    surrogate = rng.uniform(0.05, 0.6, n)
    loss = (rng.random(n) < surrogate).astype(float) if binary else rng.gamma(2, surrogate)
    pi = np.clip(surrogate * labels / surrogate.sum(), 0.02, 1)
    observed = np.where(rng.random(n) < pi, loss, np.nan)
    bounds = {"lowest": 0.0, "highest": 1.0} if binary else {"lowest": 0.0}
    return Evidence(observed, rng.integers(0, 20, n), surrogate, pi, **bounds)


def _drawn(seed=0, n=N, labels=120):
    evidence = _evidence(seed, n)
    rng = np.random.default_rng(seed + 100)
    weight = 0.2 + evidence.surrogate
    order = np.argsort(rng.exponential(size=n) / weight)[:labels]
    left = weight.sum() - (np.cumsum(weight[order]) - weight[order])
    step, proposal, observed = np.zeros(n, dtype=np.int64), np.full(n, np.nan), np.full(n, np.nan)
    step[order], proposal[order] = np.arange(1, labels + 1), weight[order] / left
    observed[order] = (rng.random(labels) < evidence.surrogate[order]).astype(float)
    return replace(evidence, observed=observed, probability=None, draws=Draws(step, proposal, n, labels))


def _full(seed=0, binary=True, **changes):
    """Every row labelled, with probabilities that say otherwise and draws of all rows."""
    base = _evidence(seed, binary=binary)
    rng = np.random.default_rng(seed)
    observed = (rng.random(N) < 0.3).astype(float) if binary else rng.gamma(2, 0.2, N)
    draws = Draws(rng.permutation(N) + 1, np.full(N, 0.1), N, N)
    return replace(base, observed=observed, draws=draws, **changes)


def _for(kind, seed=0):
    """Evidence this estimator is made for."""
    special = {"lure": _drawn, "complete": _full}
    return special.get(kind, _evidence)(seed)


@every_estimator
@every_target
def test_estimate_is_inside_its_interval_and_its_range(kind, target):
    evidence = _for(kind)
    estimator = _build(kind, target=target)
    assert estimator.applies(evidence)
    found = estimator.estimate(evidence)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert (found.n, found.n_labelled) == (N, int(np.isfinite(evidence.observed).sum()))
    assert ("this window" in found.method) == (target == "window")
    assert found.method.startswith(estimator.label)


@every_estimator
@pytest.mark.parametrize("binary", [True, False])
def test_with_every_label_every_estimator_is_the_plain_clustered_mean(kind, binary):
    evidence = _full(binary=binary)
    if kind == "cbpe":
        assert _build(kind).estimate(evidence).value == pytest.approx(evidence.surrogate.mean())
        return
    found = _build(kind).estimate(evidence)
    mean, spread = weighted_mean(evidence.observed, np.ones(N), evidence.day)
    assert found.value == pytest.approx(mean, abs=1e-12)
    for_window = _build(kind, target="window").estimate(evidence)
    assert (for_window.low, for_window.high) == pytest.approx((mean, mean), abs=1e-12)
    if not binary and kind in ("complete", "hajek"):  # no upper end: the symmetric interval
        assert (found.low, found.high) == pytest.approx((mean - spread.half_width, mean + spread.half_width))


@every_estimator
def test_days_widen_and_never_narrow_an_interval_for_traffic(kind):
    evidence = _for(kind)
    alone = replace(evidence, day=np.zeros(N, dtype=np.int64))
    order = np.argsort(np.where(np.isnan(evidence.observed), evidence.surrogate, evidence.observed))
    day = np.empty(N, dtype=np.int64)
    day[order] = np.arange(N) * 10 // N  # alike rows share days
    independent, shared = (_build(kind).estimate(e) for e in (alone, replace(evidence, day=day)))
    assert shared.value == pytest.approx(independent.value)
    assert shared.high - shared.low > 1.5 * (independent.high - independent.low)
    assert "independent rows" in independent.method
    assert "clustered by 10 days" in shared.method
    usual = _build(kind).estimate(evidence)
    assert usual.high - usual.low >= (independent.high - independent.low) * (1 - 1e-9)


@every_estimator
@pytest.mark.parametrize("labels", [0, 1, 4])
def test_s18_fewer_than_five_labels_are_undefined_never_zero(kind, labels):
    observed = np.full(N, np.nan)
    observed[:labels] = 1.0
    evidence = replace(_for(kind), observed=observed)
    found = _build(kind).estimate(evidence)
    if kind == "cbpe":
        assert found.method.startswith("label-free")
        assert found.n_labelled == labels
        return
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.method.startswith("undefined: ")
    assert not _build(kind).applies(evidence)
    assert not _build(kind).compare(evidence).defined


@every_estimator
def test_an_empty_slice_is_undefined(kind):
    found = _build(kind).estimate_slice(_for(kind), np.zeros(N, dtype=bool))
    assert not found.defined
    assert "no rows" in found.method


@weighted
@pytest.mark.parametrize("bad", [0.0, -0.1, 1.0001, math.nan, math.inf])
def test_s13_a_bad_probability_is_refused(kind, bad):
    evidence = _evidence()
    for row in (np.flatnonzero(evidence.labelled)[3], np.flatnonzero(~evidence.labelled)[3]):
        pi = evidence.probability.copy()
        pi[row] = bad
        found = _build(kind).estimate(replace(evidence, probability=pi))
        assert found.value is None
        assert "probability is not in (0, 1]" in found.method


@weighted
def test_s13_labels_without_probabilities_are_refused(kind):
    found = _build(kind).estimate(replace(_evidence(), probability=None))
    assert found.method == "undefined: labels were chosen, probabilities not recorded"


@weighted
def test_more_labels_than_the_probabilities_allow_are_refused(kind):
    evidence = _evidence()
    found = _build(kind).estimate(replace(evidence, probability=evidence.probability / 4))
    assert "allow about 3" in found.method
    assert found.value is None


@weighted
def test_labels_that_never_came_are_said_and_do_not_move_the_estimate(kind):
    """Half of the chosen labels are lost at random: the estimate stays, the interval grows."""
    rng, estimator, n = np.random.default_rng(1), _build(kind, target="window"), 4000
    evidence = _evidence(n=n, labels=1500)
    lost = replace(evidence, observed=np.where(rng.random(n) < 0.5, evidence.observed, np.nan))
    whole, half = estimator.estimate(evidence), estimator.estimate(lost)
    assert "missing" not in whole.method
    assert "of the chosen labels came" in half.method
    assert half.value == pytest.approx(whole.value, abs=0.04)
    assert half.high - half.low > 1.2 * (whole.high - whole.low)


@weighted
def test_a_statistic_outside_its_range_or_not_finite_is_refused(kind):
    evidence = _evidence()
    row = np.flatnonzero(evidence.labelled)[0]
    for value in (1.5, -0.2, math.inf):
        observed = evidence.observed.copy()
        observed[row] = value
        assert not _build(kind).estimate(replace(evidence, observed=observed)).defined


@pytest.mark.parametrize("kind", ["aipw", "ppi_pp", "cbpe"])
def test_estimators_that_need_a_surrogate_say_so(kind):
    assert "not recorded" in _build(kind).estimate(replace(_evidence(), surrogate=None)).method
    broken = np.where(np.arange(N) == 3, np.nan, 0.2)
    assert "surrogate is not finite" in _build(kind).estimate(replace(_evidence(), surrogate=broken)).method
    assert _build(kind).needs_surrogate


@every_estimator
def test_labels_that_all_say_the_same_do_not_make_certain(kind):
    """No error among 40 labels out of 4,000 rows does not mean that there is none."""
    if kind in ("cbpe", "complete"):
        return
    rng, n = np.random.default_rng(2), 4000
    evidence = _drawn(n=n, labels=40) if kind == "lure" else _evidence(n=n, labels=40)
    surrogate = rng.uniform(0, 0.002, n)
    evidence = replace(evidence, observed=np.where(np.isnan(evidence.observed), np.nan, 0.0), surrogate=surrogate)
    found = _build(kind, target="window").estimate(evidence)
    k = found.n_labelled
    assert found.value < 0.01
    assert found.high > 1 - 0.05 ** (1 / k)  # the one-sided exact bound of k equally weighted labels


@every_estimator
def test_the_order_of_rows_does_not_matter(kind):
    evidence = _for(kind)
    order = np.random.default_rng(4).permutation(N)
    estimator, shuffled = _build(kind), evidence.only(order)
    one, other = estimator.estimate(evidence), estimator.estimate(shuffled)
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high), abs=1e-12)


@every_estimator
def test_an_estimate_moves_with_the_unit_of_the_statistic(kind):
    evidence = _for(kind)
    unit = replace(evidence, observed=evidence.observed * 100, surrogate=evidence.surrogate * 100, highest=100.0)
    one, other = _build(kind).estimate(evidence), _build(kind).estimate(unit)
    assert (other.value, other.low, other.high) == pytest.approx((100 * one.value, 100 * one.low, 100 * one.high))


@every_estimator
def test_schema_documents_every_parameter_and_the_source_is_named(kind):
    cls = ESTIMATORS.get(kind)
    schema = cls.model_json_schema()
    assert schema["properties"]["kind"]["const"] == kind
    assert all(field.get("description") for field in schema["properties"].values())
    assert any(year in cls.__doc__ for year in ("1971", "2015", "2021", "2023", "2024"))


def test_arrays_of_unequal_length_are_a_programming_error():
    evidence = _evidence()
    with pytest.raises(ValueError, match="one length"):
        replace(evidence, probability=evidence.probability[:-1])
    with pytest.raises(ValueError, match="one length"):
        replace(_drawn(), draws=Draws(np.zeros(3, dtype=np.int64), np.zeros(3), 3, 1))


@every_estimator
def test_automatic_choice_reaches_every_estimator(kind):
    """No estimator is dead code: some evidence chooses it, and what is chosen applies."""
    evidence = {
        "complete": _full(),
        "lure": _drawn(),
        "ppi_pp": _evidence(),
        "aipw": _evidence(3, labels=15),
        "hajek": replace(_evidence(), surrogate=None),
        "cbpe": replace(_evidence(), observed=np.full(N, np.nan)),
    }[kind]
    chosen = choose(evidence).estimator
    assert chosen.kind == kind
    assert chosen.applies(evidence)
    assert f"chosen: {kind}, " in estimate(evidence).method
