"""Actively chosen labels give honest estimates: unbiased, 95% coverage, no wider than uniform ones (s13).

The simulation is the one that `benchmarks/estimators.py` publishes.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from continual.estimators.base import ESTIMATORS

pytestmark = pytest.mark.integration
ROWS, LABELS = 2400, 900
SLICES = ("all", "A", "B", "C")  # at least 200 labels each
WEIGHTED = ("aipw", "hajek", "ppi_pp", "lure")


def _benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "estimators.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_estimators", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BENCHMARK = _benchmark()
INDEPENDENT, CLUSTERED = BENCHMARK.World("independent"), BENCHMARK.World("day-clustered", shock=0.4)


def _judge(world, target, seed, runs):
    """(kind, slice) -> (runs, 2): covered, error; errors of the naive mean and traffic truth by slice."""
    rng, found, naive = np.random.default_rng(seed), {}, {}
    endless = BENCHMARK.traffic_truth(world) if target == "traffic" else {}
    estimators = {kind: ESTIMATORS.get(kind)(target=target) for kind in WEIGHTED}
    for _ in range(runs):
        window = BENCHMARK.Window(world, rng, ROWS)
        pi = BENCHMARK.mixture(window.surrogate, LABELS)
        poisson = window.evidence(rng.random(ROWS) < pi, pi)
        sequence = BENCHMARK.sequence(window, rng, LABELS)
        for name in SLICES:
            member = window.slices[name]
            truth = endless.get(name, window.loss[member].mean())
            naive.setdefault(name, []).append(np.nanmean(poisson.observed[member]) - truth)
            for kind, estimator in estimators.items():
                evidence = sequence if kind == "lure" else poisson
                whole = name == "all"
                est = estimator.estimate(evidence) if whole else estimator.estimate_slice(evidence, member)
                found.setdefault((kind, name), []).append((est.low <= truth <= est.high, est.value - truth))
    return {key: np.array(rows, dtype=float) for key, rows in found.items()}, naive, endless


@pytest.fixture(scope="module")
def windows():
    return _judge(INDEPENDENT, "window", seed=1, runs=1200)


@pytest.fixture(scope="module")
def traffic():
    return _judge(CLUSTERED, "traffic", seed=2, runs=1800)


@pytest.mark.parametrize("name", SLICES)
@pytest.mark.parametrize("kind", WEIGHTED)
def test_s13_intervals_of_a_window_cover_its_mean(windows, kind, name):
    assert 0.93 <= windows[0][kind, name][:, 0].mean() <= 0.97


@pytest.mark.parametrize("name", SLICES)
@pytest.mark.parametrize("kind", WEIGHTED)
def test_s13_intervals_for_traffic_cover_its_mean_although_days_share_shocks(traffic, kind, name):
    assert 0.93 <= traffic[0][kind, name][:, 0].mean() <= 0.97


@pytest.mark.parametrize("name", SLICES)
@pytest.mark.parametrize("kind", WEIGHTED)
def test_s13_estimates_are_unbiased(windows, kind, name):
    errors = windows[0][kind, name][:, 1]
    assert abs(errors.mean()) < 3.5 * errors.std() / np.sqrt(len(errors))


@pytest.mark.parametrize("name", SLICES)
def test_s13_the_naive_mean_of_the_same_labels_is_biased(windows, name):
    """An estimator that ignored pi would be this far off."""
    errors, honest = np.array(windows[1][name]), windows[0]["hajek", name][:, 1]
    assert errors.mean() > 0.02
    assert errors.mean() > 20 * abs(honest.mean())


def test_without_days_intervals_for_traffic_would_be_too_narrow(traffic):
    """The shocks of this simulation matter: independent rows alone would cover too seldom."""
    rng, estimator = np.random.default_rng(5), ESTIMATORS.get("complete")(target="traffic")
    truth, covered, runs = traffic[2]["all"], 0, 200
    for _ in range(runs):
        window = BENCHMARK.Window(CLUSTERED, rng, ROWS)
        evidence = window.evidence(np.ones(ROWS, dtype=bool), None)
        alone = BENCHMARK.replace(evidence, day=np.zeros(ROWS, dtype=np.int64))
        found = estimator.estimate(alone)
        covered += found.low <= truth <= found.high
    assert covered / runs < 0.85


@pytest.mark.parametrize(("world", "labels"), [("calibrated", 300), ("calibrated", 1000), ("overconfident", 1000)])
def test_s13_chosen_labels_are_never_wider_than_uniform_ones_and_near_the_optimum(world, labels):
    shape = INDEPENDENT if world == "calibrated" else BENCHMARK.World("", shift=0.6, slope=0.6)
    rng, ppi, hajek = np.random.default_rng(6), *(ESTIMATORS.get(k)(target="window") for k in ("ppi_pp", "hajek"))
    widths, plain, same, best = [], [], [], []
    for _ in range(80):
        window = BENCHMARK.Window(shape, rng)
        n = len(window.loss)
        pi, flat = BENCHMARK.mixture(window.surrogate, labels, chosen=1.0), np.full(n, labels / n)
        chosen = ppi.estimate(window.evidence(rng.random(n) < pi, pi))
        uniform = window.evidence(rng.random(n) < flat, flat)
        widths.append(_width(chosen))
        plain.append(_width(hajek.estimate(uniform)))
        same.append(_width(ppi.estimate(uniform)))
        best.append(2 * 1.96 * BENCHMARK.best_sd(window, labels))
    assert np.mean(widths) < 1.02 * np.mean(plain)
    assert np.mean(widths) < 1.02 * np.mean(same)  # the surrogate alone, without choosing
    if world == "calibrated":
        assert 0.97 < np.mean(widths) / np.mean(best) < 1.05


def _width(found):
    return found.high - found.low


def test_a_calibrated_confidence_beats_weights_alone(windows):
    """Hajek on the same chosen labels does not use the surrogate."""
    hajek, ppi = (np.mean(windows[0][kind, "all"][:, 1] ** 2) for kind in ("hajek", "ppi_pp"))
    assert ppi < 0.8 * hajek
