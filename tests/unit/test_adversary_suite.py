"""What misleads a monitor or a gate without anybody lying to it: each is seen and refused, or paid for, every time."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from continual.core.alarm import PairedStream
from continual.core.stats.maturity import readable
from continual.core.stats.past import past_change
from continual.core.stats.review import anchoring
from continual.core.verdict import Answer
from continual.monitors.base import MONITORS

_SPEC = importlib.util.spec_from_file_location(
    "adversary_simulate", Path(__file__).parents[2] / "benchmarks" / "simulate.py"
)
sim = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = sim
_SPEC.loader.exec_module(sim)

START, LAG = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=2)
SEEDS = range(20)


def _late(seed, days=30, n=200, slow=8.0):
    """Matured rows of 30 days; a bad outcome (1) is told up to `slow` days later than a good one."""
    rng = np.random.default_rng(seed)
    event = np.datetime64("2024-01-01", "us") + np.repeat(np.arange(days), n) * np.timedelta64(1, "D")
    event = event + rng.integers(0, 86_400, len(event)) * np.timedelta64(1, "s")
    y = (rng.random(len(event)) < 0.3).astype(float)
    wait = rng.exponential(0.3, len(event)) + np.where(y == 1, rng.random(len(event)) * slow, 0)
    known = event + (wait * 86_400).astype(np.int64) * np.timedelta64(1, "s")
    as_of = START + timedelta(days=days) + LAG
    there = known <= np.datetime64(as_of.replace(tzinfo=None))
    return event, np.where(there, known, np.datetime64("NaT")), np.where(there, y, np.nan), as_of


@pytest.mark.parametrize("seed", SEEDS)
def test_a_delay_that_depends_on_the_outcome_is_seen_and_young_days_are_refused(seed):
    event, known, label, as_of = _late(seed)
    found = readable(event, known, label, as_of, LAG, 4 * LAG)
    assert found.delay.depends
    assert "the delay depends on the outcome" in found.reason
    assert "raise label.lag" in found.reason
    assert "2024-01-30" in found.refused
    taken = label[found.use].mean()
    assert abs(taken - 0.3) < abs(np.nanmean(label[event >= event.max() - np.timedelta64(4, "D")]) - 0.3)
    assert found.use.sum() > 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_delay_that_tells_nothing_costs_no_day(seed):
    event, known, label, as_of = _late(seed, slow=0.0)
    found = readable(event, known, label, as_of, LAG, 4 * LAG)
    if not found.delay.depends:  # a 95% test: wrong now and then, and then only incomplete days are lost
        assert (found.refused, found.reason) == ((), "")
    assert found.use.mean() > 0.95


def _annotated(seed, anchored, noise=0.1, n=4000, doubled=0.25):
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.4).astype(int)
    answer = np.where(rng.random(n) < 0.8, truth, 1 - truth)
    first, second = (np.where(rng.random(n) < noise, 1 - truth, truth) for _ in range(2))
    first = np.where(rng.random(n) < anchored, answer, first)
    twice = rng.random(n) < doubled
    return first[twice], second[twice], answer[twice]


@pytest.mark.parametrize("seed", SEEDS)
def test_anchored_annotators_are_seen_and_their_labels_refused(seed):
    found = anchoring(*_annotated(seed, anchored=0.3))
    assert found.anchored
    assert found.p < 0.025
    assert "must not judge this model, hide predictions from annotators" in found.reason


def test_annotators_who_saw_nothing_are_rarely_accused_whatever_the_noise():
    accused = [anchoring(*_annotated(seed, 0.0, noise)).anchored for seed in range(200) for noise in (0.05, 0.3)]
    assert np.mean(accused) <= 0.045  # nominal 2.5%, 400 draws


def test_without_double_labels_anchoring_is_said_to_be_untestable():
    none = np.zeros(0, dtype=int)
    assert "cannot be tested: 0 double labels differ" in anchoring(none, none, none).reason
    with pytest.raises(ValueError, match="one length"):
        anchoring(none, none, np.zeros(1, dtype=int))


def _users(seed, days=90, users=20, rows=20):
    """20 rows per user, all of one mind: equal models, rows far from independent."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(days):
        own = rng.choice([-1.0, 0.0, 1.0], users, p=[0.2, 0.6, 0.2])
        out.append(np.repeat(own, rows))
    names = tuple((date(2024, 1, 1) + timedelta(days=i)).isoformat() for i in range(days))
    return PairedStream("overall", "standard", names, tuple(out))


def test_clustered_rows_are_paid_for():
    """20 rows of one mind per user: false alarms stay within alpha, and are gone if the correlation is said."""
    plain = {"trivial": 0, "day_correlation": 0, "min_days": 1}
    streams = [_users(seed) for seed in range(40)]
    alarms = {
        name: sum(bool(MONITORS.get("e_detector")(**fields).read([s]).alarms) for s in streams)
        for name, fields in {"plain": plain, "default": {}, "said": {"day_correlation": 0.05}}.items()
    }
    assert alarms["plain"] >= 30, "or the attack is none"
    assert alarms["default"] <= 2
    assert alarms["said"] == 0


def _gate_evidence(rng, uses):
    rows = sim.window(rng, [1000], 7, False)
    return sim.judge(sim.candidate(rng, rows, np.array([0.0])), 0, uses=uses)


def test_a_reused_window_is_paid_for_and_the_verdict_says_so():
    """A candidate that is no better, judged again and again on one window: the level left shrinks with every use."""
    fresh = {seed: _gate_evidence(np.random.default_rng(seed), 0) for seed in range(150)}
    lucky = [seed for seed, verdict in fresh.items() if verdict.answer == Answer.PROMOTE]
    assert lucky, "or the attack is none"
    for seed in lucky:
        again = _gate_evidence(np.random.default_rng(seed), 51)
        assert again.answer != Answer.PROMOTE
        assert "at the level left after 51 earlier uses of the window" in again.reason


def test_one_version_alone_is_not_said_to_get_worse_on_noise_and_is_on_a_step():
    rng, wrong = np.random.default_rng(1), 0
    day = np.repeat(np.arange(60), 100)
    for _ in range(200):
        shock = rng.normal(0, 0.02, 60)[day]
        found = past_change("1", day, 0.2 + shock + rng.normal(0, 0.1, len(day)), 0.02)
        wrong += found.worse
    assert wrong <= 1
    step = past_change("1", day, 0.2 + 0.1 * (day >= 53) + rng.normal(0, 0.1, len(day)), 0.02)
    assert step.worse
    assert step.change == pytest.approx(0.1, abs=0.02)
    assert past_change("1", day[:1000], np.zeros(1000), 0.02) is None
