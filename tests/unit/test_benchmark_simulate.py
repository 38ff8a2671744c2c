"""The benchmark's generators have the truth they claim; otherwise its tables say nothing."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from continual.core.verdict import OVERALL, SliceClass

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
_PATH = Path(__file__).parents[2] / "benchmarks" / "simulate.py"
_SPEC = importlib.util.spec_from_file_location("benchmark_simulate", _PATH)
simulate = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = simulate
_SPEC.loader.exec_module(simulate)


def _mean_by_slice(scored, slices):
    gain = scored.candidate - scored.champion  # every label is 1: score = right
    return np.array([gain[scored.where == k].mean() for k in range(slices)])


@pytest.mark.parametrize("clustered", [False, True])
def test_a_candidate_is_better_by_the_planted_effect_in_every_slice(clustered):
    rng, effect = np.random.default_rng(0), np.array([0.0, 0.01, -0.05, -0.10])
    rows = simulate.window(rng, [60_000] * 4, 3000, clustered)
    found = simulate.candidate(rng, rows, effect)
    assert _mean_by_slice(found, 4) == pytest.approx(effect, abs=0.006)  # 4 standard errors
    assert np.mean(found.champion) == pytest.approx(simulate.ACCURACY, abs=0.005)
    differ = np.mean((found.candidate != found.champion)[found.where == 0])
    assert differ == pytest.approx(simulate.DISAGREE, abs=0.005)


@pytest.mark.parametrize("clustered", [False, True])
def test_excess_losses_are_planted_from_the_day_of_the_fault_on(clustered):
    rng, effect = np.random.default_rng(1), np.array([0.0, 0.03, 0.20])
    days = simulate.excess(rng, 1000, 100, effect, clustered, since=400)
    assert set(np.unique(days)) == {-1.0, 0.0, 1.0}
    assert days[:400].mean(axis=(0, 2)) == pytest.approx(np.zeros(3), abs=0.008)
    assert days[400:].mean(axis=(0, 2)) == pytest.approx(effect, abs=0.01)


def test_rows_of_a_day_move_together_only_in_the_clustered_world():
    spread = {}
    for clustered in (False, True):
        means = simulate.excess(np.random.default_rng(2), 400, 1000, np.zeros(2), clustered).mean(axis=2)
        spread[clustered] = means.std(axis=0), np.corrcoef(means.T)[0, 1]
    alone = np.sqrt(simulate.DISAGREE / 1000)
    assert spread[False][0] == pytest.approx([alone, alone], rel=0.15)
    assert spread[True][0] == pytest.approx(np.hypot(alone, simulate.SHOCK) * np.ones(2), rel=0.15)
    assert abs(spread[False][1]) < 0.2
    assert 0.2 < spread[True][1] < 0.6  # half of the shock is shared


def test_equal_probability_models_have_equal_brier_scores():
    rng, gaps = np.random.default_rng(3), []
    for _ in range(40):
        found = simulate.equal_probabilities(rng, [2000] * 2, 28, clustered=True)
        gaps.append(np.mean((found.candidate - found.y) ** 2 - (found.champion - found.y) ** 2))
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / np.sqrt(len(gaps))
    assert np.std(gaps) > 0


def test_windows_join_day_after_day():
    rng = np.random.default_rng(4)
    first, second = (simulate.window(rng, [50, 70], 7, clustered=True) for _ in range(2))
    both = first + second
    assert len(both.where) == 240
    assert both.shock.shape == (14, 2)
    assert both.day[120:].min() >= 7
    assert (both.shock[both.day[120:], 0] == second.shock[second.day, 0]).all()


def test_the_real_gate_and_monitor_read_what_is_simulated():
    rng = np.random.default_rng(5)
    rows = simulate.candidate(rng, simulate.window(rng, [1000] * 3, 28, clustered=False), np.array([0.0, 0.0, -0.15]))
    verdict = simulate.judge(rows, 3)
    harmed = {f.slice for f in verdict.findings if f.slice_class is SliceClass.HARM}
    assert harmed - {OVERALL} == {"s2"}
    days = simulate.excess(rng, 58, 2000, np.array([0.10]), clustered=False, since=38)[:, 0]
    assert simulate.alarm_day([simulate.stream("overall", days[28:], days[:28])]) in range(10, 16)
    assert simulate.alarm_day([simulate.stream("overall", days[28:38], days[:28])]) is None


@pytest.mark.parametrize(("days", "effect"), [(28, 0.0), (28, -0.1), (7, 0.02), (3, 0.01)])
@pytest.mark.parametrize("clustered", [False, True])
def test_a_comparison_from_counts_is_the_metrics_own(days, effect, clustered):
    rows = simulate.candidate(
        np.random.default_rng(6), simulate.window(np.random.default_rng(7), [400], days, clustered), np.array([effect])
    )
    gain = rows.candidate - rows.champion
    counts = [np.bincount(rows.day, weights=w, minlength=days) for w in (gain >= -1, gain > 0, gain < 0)]
    found = importlib.import_module("simulate_counts").comparison(*(c.astype(int) for c in counts))
    real = simulate.evidence(rows, 0).slices[0].metrics[0].comparison
    assert (found.n, found.method, found.df, found.discordant) == (real.n, real.method, real.df, real.discordant)
    for name in ("gain", "se", "low", "high", "p_harm"):
        assert getattr(found, name) == pytest.approx(getattr(real, name), rel=1e-9)
