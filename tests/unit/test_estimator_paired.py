"""Paired comparisons with labels only where two models differ: rows where they agree contribute exactly 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from continual.estimators._choose import compare, estimate
from continual.estimators._paired import paired
from continual.estimators.aipw import Aipw
from continual.estimators.complete import Complete
from continual.estimators.hajek import Hajek
from continual.estimators.ppi_pp import PpiPP

N = 6000


def _models(rng, n=N, differ=0.05, better=0.5):
    """0/1 losses of two models that differ on a share of rows; `better`: candidate right where they differ."""
    agree = rng.random(n) >= differ
    champion = (rng.random(n) < 0.2).astype(float)
    chance = np.where(agree, 0.5, np.clip(rng.normal(better, 0.15, n), 0.02, 0.98))
    right = (rng.random(n) < chance).astype(float)  # of the candidate, where they differ
    return agree, np.where(agree, champion, right), np.where(agree, champion, 1 - right), 2 * chance - 1


def _evidence(rng, labels, **kwargs):
    agree, champion, candidate, expected = _models(rng, **kwargs)
    pi = np.where(agree, 0.01, min(labels / max((~agree).sum(), 1), 1.0))
    seen = rng.random(len(agree)) < pi
    columns = (np.where(seen, loss, np.nan) for loss in (champion, candidate))
    day = rng.integers(0, 20, len(agree))
    evidence = paired(*columns, agree, day, expected=np.where(agree, 0, expected), probability=pi, reach=1.0)
    return evidence, float(np.mean(champion - candidate))


def test_labels_only_where_models_differ_give_the_difference_over_all_rows():
    evidence, truth = _evidence(np.random.default_rng(0), labels=10**6, better=0.7)
    found = Complete(target="window").estimate(evidence)
    assert found.value == pytest.approx(truth, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((truth, truth), abs=1e-12)
    assert found.n == N
    assert found.n_labelled == int((~evidence.known_zero).sum())


@pytest.mark.parametrize("days", [1, 20])
def test_for_traffic_the_share_of_disagreements_varies_too(days):
    """Rows known to be 0 and rows labelled 0 say the same, but for the degrees of freedom."""
    rng = np.random.default_rng(6)
    agree, champion, candidate, _ = _models(rng, differ=0.3, better=0.9)
    day = np.sort(rng.integers(0, days, N))
    known = paired(champion, candidate, agree, day)
    labelled = paired(champion, candidate, np.zeros(N, dtype=bool), day)
    one, other = Complete().compare(known), Complete().compare(labelled)
    assert one.gain == pytest.approx(other.gain)
    assert one.se == pytest.approx(other.se, rel=1e-3)
    assert one.n < other.n == N


def test_labels_on_agreeing_rows_change_nothing():
    evidence, _ = _evidence(np.random.default_rng(1), labels=120)
    none = replace(evidence, observed=np.where(evidence.known_zero, np.nan, evidence.observed))
    assert np.isfinite(evidence.observed).sum() > np.isfinite(none.observed).sum()
    for estimator in (Hajek(), Aipw(), PpiPP()):
        assert estimator.compare(evidence) == estimator.compare(none)
        assert estimator.estimate(evidence) == estimator.estimate(none)


def test_models_that_agree_everywhere_differ_by_exactly_0():
    loss = (np.random.default_rng(2).random(50) < 0.2).astype(float)
    unlabelled = np.full(50, np.nan)
    for observed in (loss, unlabelled):
        evidence = paired(observed, observed, np.ones(50, dtype=bool), np.zeros(50, dtype=np.int64), reach=1.0)
        found = compare(evidence)
        assert (found.gain, found.se, found.low, found.high, found.p_harm) == (0, 0, 0, 0, 0.5)
        assert "the models agree on every row" in found.method
        assert (estimate(evidence).value, estimate(evidence).high) == (0, 0)


def test_losses_that_differ_where_models_agree_are_a_programming_error():
    with pytest.raises(ValueError, match="1 have not"):
        paired(np.array([1.0, 0.0]), np.array([0.0, 0.0]), np.array([True, True]), np.zeros(2, dtype=np.int64))


@pytest.mark.parametrize("target", ["window", "traffic"])
def test_comparisons_cover_and_equal_models_are_rarely_harmed(target):
    rng, runs, covered, harmed = np.random.default_rng(3), 500, 0, 0
    for _ in range(runs):
        evidence, truth = _evidence(rng, labels=150)
        found = PpiPP(target=target).compare(evidence)
        covered += found.low <= (truth if target == "window" else 0.0) <= found.high
        harmed += found.p_harm <= 0.05
    assert 0.93 <= covered / runs <= 0.975
    if target == "traffic":
        assert binom.sf(harmed - 1, runs, 0.05) > 0.01
    assert harmed > 0


def test_labelling_disagreements_is_worth_many_uniform_labels():
    """At 3% disagreement the same number of labels on random rows is some 30 times less precise in variance."""
    rng, wide, narrow = np.random.default_rng(4), [], []
    for _ in range(60):
        agree, champion, candidate, _ = _models(rng, differ=0.03)
        day, pi = np.zeros(N, dtype=np.int64), np.full(N, 100 / N)
        seen = rng.random(N) < pi
        gain = np.where(seen, champion - candidate, np.nan)
        blind = paired(gain, np.zeros(N), np.zeros(N, dtype=bool), day, probability=pi, reach=1.0)
        pi = np.where(agree, 1e-6, 100 / (~agree).sum())
        gain = np.where(rng.random(N) < pi, champion - candidate, np.nan)
        aimed = paired(gain, np.zeros(N), agree, day, probability=pi, reach=1.0)
        for evidence, ses in ((blind, wide), (aimed, narrow)):
            ses.append(Hajek(target="window").compare(evidence).se)
    assert np.mean(np.square(wide)) > 20 * np.mean(np.square(narrow))


def test_a_handful_of_labels_that_all_convict_is_weighed_as_that_handful():
    """Six of six labels say worse: harm is likely, its size is not known to the last digit."""
    agree = np.arange(2000) >= 300
    gain = np.full(2000, np.nan)
    gain[:6] = -1.0
    day, pi = np.arange(2000) % 10, np.where(agree, 1e-6, 6 / 300)
    found = Hajek().compare(paired(gain, np.zeros(2000), agree, day, probability=pi, reach=1.0))
    assert found.gain == pytest.approx(-0.15)
    assert 0.5**6 < found.p_harm < 0.1
    assert found.high > -0.1
    assert found.n == 6
    none = paired(0 * gain, np.zeros(2000), agree, day, probability=pi, reach=1.0)
    assert Hajek().compare(none).p_harm == 0.5


def test_the_sign_is_that_of_the_gain():
    good, _ = _evidence(np.random.default_rng(5), labels=200, better=0.85)
    bad = replace(good, observed=-good.observed, surrogate=-good.surrogate)
    one, other = compare(good), compare(bad)
    assert one.gain > 0
    assert one.low > 0
    assert one.p_harm > 0.999
    assert (other.gain, other.high) == pytest.approx((-one.gain, -one.low))
    assert other.p_harm < 0.001
    assert "chosen: ppi_pp" in one.method
