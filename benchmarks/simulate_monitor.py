"""Many deployments of the paired monitor at once, from daily counts: for right/wrong losses exactly `EDetector`.

Rows of one day and slice are exchangeable, so that the counts of rows only one model gets wrong have the law of
`simulate.excess`, at a hundredth of the time. tests/unit/test_monitor_counts.py holds both against each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import simulate as sim

from continual.core.stats.dependence import PRIOR_DAYS
from continual.core.stats.eprocess import LAMBDAS
from continual.core.verdict import OVERALL
from continual.monitors.e_detector import EDetector

Floats = sim.Floats


@dataclass(frozen=True)
class Days:
    """worse, better: (days, runs, streams) rows only the champion, or only the previous version, gets wrong. n: rows a
    day, one number per stream."""

    worse: Floats
    better: Floats
    n: Floats

    def whole(self) -> Days:
        """All streams together, as one."""
        return Days(self.worse.sum(-1, keepdims=True), self.better.sum(-1, keepdims=True), np.array([self.n.sum()]))


def draw(
    rng: np.random.Generator, runs: int, days: int, rows: int, effect: Floats, clustered: bool, since: int = 0
) -> Days:
    """Counts of `simulate.excess` for `runs` deployments; `rows` a day and slice."""
    planted = np.where(np.arange(days)[:, None, None] >= since, effect, 0.0)
    drawn = [sim.shocks(rng, days, len(effect), clustered) for _ in range(runs)]
    mean, share = sim.daily_mean(planted, np.stack(drawn, axis=1)), sim.disagreement(planted)
    differ = rng.binomial(rows, np.broadcast_to(share, mean.shape))
    worse = rng.binomial(differ, (share + mean) / (2 * share))
    return Days(worse.astype(float), (differ - worse).astype(float), np.full(len(effect), float(rows)))


def _effects(found: Days, prior: float) -> Floats:
    """(days, runs, streams): `design_effects` of each stream."""
    n, mean = found.n, (found.worse - found.better) / found.n
    if prior == 0:
        return np.ones(mean.shape)
    squares = found.worse + found.better - n * mean**2
    variance = np.cumsum(squares, axis=0) / (np.arange(1, len(mean) + 1)[:, None, None] * np.maximum(n - 1, 1))
    pair, others = 2 / n, n - 1
    weight = 1 / (1 + others * prior)
    top, bottom = np.full(mean.shape[1:], PRIOR_DAYS), np.full(mean.shape[1:], PRIOR_DAYS / prior)
    out = np.ones(mean.shape)
    for day in range(len(mean)):
        out[day] = 1 + others * np.clip(top / bottom, 0.0, 1.0)
        if day:
            seen = variance[day] > 0
            jump = (mean[day] - mean[day - 1]) ** 2 / np.where(seen, variance[day], 1.0) / pair - 1
            top, bottom = top + np.where(seen, jump * weight, 0.0), bottom + np.where(seen, others * weight, 0.0)
    return out


def alarms(found: Days, monitor: EDetector, threshold: float) -> Floats:
    """(runs, streams) index of the first day of an alarm, inf without."""
    limit = math.log(threshold)
    cap = limit / monitor.min_days if monitor.min_days > 1 else math.inf
    effects = _effects(found, monitor.day_correlation)
    state, out = np.full((*found.worse.shape[1:], len(LAMBDAS)), -np.inf), np.full(found.worse.shape[1:], math.inf)
    logs = [np.log1p(LAMBDAS * (value - monitor.trivial)) for value in (1, -1, 0)]
    for day in range(len(found.worse)):
        worse, better = found.worse[day], found.better[day]
        parts = (worse, better, found.n - worse - better)
        factor = sum(part[..., None] * log for part, log in zip(parts, logs, strict=True))
        state = np.logaddexp(state, 0.0) + np.minimum(factor / effects[day][..., None], cap)
        evidence = np.logaddexp.reduce(state, axis=-1) - math.log(len(LAMBDAS))
        hit = (evidence >= limit) & ((day + 1) * found.n >= monitor.min_labels) & np.isinf(out)
        out[hit] = day
    return out


def thresholds(monitor: EDetector, slices: int) -> tuple[float, float]:
    """Of all rows, and of each of so many standard slices."""
    streams = [sim.stream(name, []) for name in (OVERALL, *(f"s{k}" for k in range(slices)))]
    found = monitor.thresholds(streams)
    return found[OVERALL], found["s0"]
