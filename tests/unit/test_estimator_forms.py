"""What each estimator computes, against formulas written out by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy import optimize, stats

from continual.estimators.aipw import Aipw
from continual.estimators.base import Draws, Evidence
from continual.estimators.cbpe import Cbpe
from continual.estimators.complete import Complete
from continual.estimators.hajek import Hajek
from continual.estimators.lure import Lure
from continual.estimators.ppi_pp import BORROWED, PpiPP, tuned_power
from continual.metrics.base import Rows
from continual.metrics.brier import Brier

N = 500


def _evidence(seed=0, n=N, labels=200.0, slope=1.0):
    rng = np.random.default_rng(seed)
    surrogate = rng.beta(1, 3, n)
    loss = (rng.random(n) < slope * surrogate).astype(float)
    pi = np.minimum((0.3 + surrogate) * labels / (0.3 + surrogate).sum(), 1)
    observed = np.where(rng.random(n) < pi, loss, np.nan)
    return Evidence(observed, np.zeros(n, dtype=np.int64), surrogate, pi)  # no range: the symmetric t interval


def _labels(evidence):
    k = evidence.labelled
    return evidence.observed[k], 1 / evidence.probability[k], evidence.surrogate[k]


def test_hajek_and_its_variance_are_the_written_formula():
    evidence = _evidence()
    e, w, _ = _labels(evidence)
    found = Hajek(target="window").estimate(evidence)
    mean = (w * e).sum() / w.sum()
    variance = ((1 - 1 / w) * w**2 * (e - mean) ** 2).sum() / w.sum() ** 2 * len(e) / (len(e) - 1)
    assert found.value == pytest.approx(mean)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, len(e) - 1) * variance**0.5)


def test_lambda_0_is_hajek_and_lambda_1_is_aipw():
    evidence = _evidence()
    for target in ("window", "traffic"):
        pairs = [
            (PpiPP(power=0, target=target), Hajek(target=target)),
            (PpiPP(power=1, target=target), Aipw(target=target)),
        ]
        for ppi, other in pairs:
            one, two = ppi.estimate(evidence), other.estimate(evidence)
            assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high), abs=1e-14)
    e, w, f = _labels(evidence)
    expected = evidence.surrogate.mean() + (w * (e - f)).sum() / w.sum()
    assert Aipw().estimate(evidence).value == pytest.approx(expected)


def test_aipw_by_rows_is_the_papers_sum_and_its_variance_for_traffic():
    evidence = _evidence()
    k = evidence.labelled
    per_row = evidence.surrogate + np.where(k, (evidence.observed - evidence.surrogate) / evidence.probability, 0)
    found = Aipw(normalise="rows").estimate(evidence)
    assert found.value == pytest.approx(per_row.mean())
    n, labels = len(per_row), k.sum()
    se = np.sqrt(np.sum((per_row - per_row.mean()) ** 2) / n**2 * labels / (labels - 1))
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, labels - 1) * se)


def test_for_traffic_rows_without_labels_vary_too():
    """Written out: each row's share of the deviation is lambda (f - mean f)/N + w (r - mean r)/sum w."""
    evidence = _evidence(6)
    found = PpiPP(power=0.7).estimate(evidence)
    k = evidence.labelled
    w = np.where(k, 1 / evidence.probability, 0)
    r = np.where(k, evidence.observed - 0.7 * evidence.surrogate, 0)
    share = w * (r - np.average(r, weights=w)) / w.sum()
    share = share + 0.7 * (evidence.surrogate - evidence.surrogate.mean()) / N
    labels = k.sum()
    se = np.sqrt(labels / (labels - 1) * np.sum(share**2))
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, labels - 1) * se)


def test_labels_lost_from_a_complete_window_leave_the_uncertainty_of_a_random_sample():
    rng = np.random.default_rng(7)
    loss = rng.gamma(2, 0.3, 2000)
    observed = np.where(rng.random(2000) < 0.4, loss, np.nan)
    evidence = Evidence(observed, np.zeros(2000, dtype=np.int64), probability=np.ones(2000))
    found = Hajek(target="window").estimate(evidence)
    n = int(np.isfinite(observed).sum())
    se = np.nanstd(observed, ddof=1) / np.sqrt(n) * np.sqrt(1 - n / 2000)
    assert found.value == pytest.approx(np.nanmean(observed))
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, n - 1) * se)
    assert f"{n / 2000:.0%} of the chosen labels came" in found.method


def test_lambda_minimises_the_variance_of_the_choice_of_labels():
    evidence = _evidence(1, slope=0.6)

    def variance(power):
        return PpiPP(power=power, target="window").fit(evidence).design

    best = optimize.minimize_scalar(variance, bounds=(0, 1), method="bounded", options={"xatol": 1e-9}).x
    assert 0.05 < best < 0.95
    assert tuned_power(evidence) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize(
    ("surrogate", "power"), [(lambda f: 0 * f + 0.3, 0.0), (lambda f: 1 - f, 0.0), (lambda f: f / 9, 1.0)]
)
def test_lambda_stays_between_0_and_1(surrogate, power):
    evidence = _evidence(2)
    evidence = replace(evidence, surrogate=surrogate(evidence.surrogate))
    assert tuned_power(evidence) == power
    assert np.isfinite(PpiPP().estimate(evidence).value)


def test_a_slice_borrows_lambda_from_all_rows():
    evidence = _evidence(3, n=2000, labels=700)
    member = np.random.default_rng(3).random(2000) < 0.1
    part = evidence.only(member)
    n = part.n_labelled
    shrunk = (n * tuned_power(part) + BORROWED * tuned_power(evidence)) / (n + BORROWED)
    assert abs(shrunk - tuned_power(part)) > 0.01
    expected = PpiPP(power=shrunk).estimate(part)
    found = PpiPP().estimate_slice(evidence, member)
    assert (found.value, found.low) == pytest.approx((expected.value, expected.low))


def test_complete_is_what_the_metrics_say_of_complete_labels():
    rng = np.random.default_rng(4)
    y, score, day = (rng.random(300) < 0.3).astype(float), rng.random(300), rng.integers(0, 15, 300)
    metric = Brier(owner="x").estimate(Rows(y, np.ones(300), day, 300), score)
    found = Complete().estimate(Evidence((score - y) ** 2, day))
    assert (found.value, found.low, found.high) == pytest.approx((metric.value, metric.low, metric.high))
    some = Evidence(np.where(np.arange(300) < 299, (score - y) ** 2, np.nan), day)
    assert "1 of 300 rows have no label" in Complete().estimate(some).method


def _lure(values, order, weight, labels):
    """Evidence of the draws in `order` (first `labels`), and the probability of that sequence."""
    n, left, chance = len(values), weight.sum(), 1.0
    step, proposal, observed = np.zeros(n, dtype=np.int64), np.full(n, np.nan), np.full(n, np.nan)
    for m, row in enumerate(order[:labels], start=1):
        step[row], proposal[row], observed[row] = m, weight[row] / left, values[row]
        chance, left = chance * proposal[row], left - weight[row]
    return Evidence(observed, np.zeros(n, dtype=np.int64), draws=Draws(step, proposal, n, labels)), chance


def test_lure_is_exactly_unbiased_over_all_sequences():
    values, weight = np.array([0.1, 0.9, 0.4, 0.7, 0.2, 0.5, 0.35]), np.array([1.0, 2, 3, 1, 2, 4, 1.5])
    mean, naive, total = 0.0, 0.0, 0.0
    for order in permutations(range(7), 4):
        evidence, chance = _lure(values, list(order), weight, 4)
        mean += chance * Lure().fit(evidence).value
        naive += chance * np.nanmean(evidence.observed)
        total += chance
    assert total == pytest.approx(1)
    assert mean == pytest.approx(values.mean(), abs=1e-12)
    assert abs(naive - values.mean()) > 0.01


@pytest.mark.parametrize("labels", [20, 60, 90])
def test_lures_martingale_variance_is_that_of_its_draws(labels):
    rng, runs = np.random.default_rng(8), 1500
    values, weight = rng.random(100), rng.uniform(0.5, 1.5, 100)
    fits = []
    for _ in range(runs):
        order = np.argsort(rng.exponential(size=100) / weight)
        fits.append(Lure().fit(_lure(values, order, weight, labels)[0]))
    claimed = np.mean([fit.design for fit in fits]) * labels / (labels - 1)
    assert claimed == pytest.approx(np.mean([(fit.value - values.mean()) ** 2 for fit in fits]), rel=0.12)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: replace(d, proposal=np.where(d.step == 2, 0.0, d.proposal)), r"not in \(0, 1\]"),
        (lambda d: replace(d, step=np.where(d.step == 2, 3, d.step)), "not numbered"),
        (lambda d: replace(d, step=np.where(d.step == 2, 0, d.step)), "not drawn"),
        (lambda d: replace(d, drawn=4), "not numbered"),
    ],
)
def test_lure_refuses_draws_that_do_not_fit(change, why):
    values, weight = np.linspace(0, 1, 12), np.ones(12)
    evidence, _ = _lure(values, list(range(12)), weight, 6)
    assert Lure().applies(evidence)
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(Lure().estimate(replace(evidence, draws=change(evidence.draws))).method)


def test_lure_refuses_a_drawn_row_without_its_label():
    evidence, _ = _lure(np.linspace(0, 1, 12), list(range(12)), np.ones(12), 7)
    observed = np.where(evidence.draws.step == 3, np.nan, evidence.observed)
    assert "label is missing" in Lure().estimate(replace(evidence, observed=observed)).method
    assert "not recorded" in Lure().estimate(replace(evidence, draws=None)).method


def test_cbpe_covers_calibrated_windows_and_is_never_a_comparison():
    rng, covered = np.random.default_rng(5), 0
    for _ in range(400):
        f = rng.beta(1, 4, 800)
        evidence = Evidence(np.full(800, np.nan), np.zeros(800, dtype=np.int64), f, lowest=0.0, highest=1.0)
        found = Cbpe(target="window").estimate(evidence)
        covered += found.low <= (rng.random(800) < f).mean() <= found.high
    assert 0.93 <= covered / 400 <= 0.975
    assert "label-free" in found.method
    assert "early warning only" in found.method
    assert not Cbpe().compare(evidence).defined
    unbounded = Cbpe(target="window").estimate(replace(evidence, highest=np.inf))
    assert "unknown range" in unbounded.method
