"""Many deployments of the paired monitor at once, from daily counts: for right/wrong losses exactly `EDetector`.

Rows of one day and slice are exchangeable, so that the counts of rows only one model gets wrong have the law of
`simulate.excess`, at a hundredth of the time. tests/unit/test_monitor_counts.py holds both against each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import simulate as sim

from continual.core.stats.dependence import PRIOR_DAYS
from continual.core.stats.eprocess import LAMBDAS, STAKES, likeliest_start
from continual.core.stats.lasting import DayTable, lasting_effects
from continual.core.stats.shared import adjusted, surprises
from continual.core.verdict import OVERALL
from continual.monitors.e_detector import EDetector

Floats = sim.Floats
#: The default without paying for shocks that last.
BY_DAY = sim.MONITOR.model_copy(update={"lasting_shocks": False})


@dataclass(frozen=True)
class Days:
    """worse, better: (days, runs, streams) rows only the champion, or only the previous version, gets wrong. n: rows a
    day, one number per stream. before: so many of the first days lie before the deployment."""

    worse: Floats
    better: Floats
    n: Floats
    before: int = 0

    def whole(self) -> Days:
        """All streams together, as one."""
        worse, better = (part.sum(-1, keepdims=True) for part in (self.worse, self.better))
        return Days(worse, better, np.array([self.n.sum()]), self.before)

    def first(self, streams: int) -> Days:
        """The first so many streams."""
        return replace(self, worse=self.worse[..., :streams], better=self.better[..., :streams], n=self.n[:streams])


@dataclass(frozen=True)
class World:
    """clustered: days share shocks. least: share of rows on which the two versions differ, at least. before: days of
    the gate's window, without a fault, on which both were compared already. lasting: autocorrelation of the shocks from
    day to day; their standard deviation stays."""

    clustered: bool
    least: float = sim.DISAGREE
    before: int = 28
    lasting: float = 0.0


def draw(
    rng: np.random.Generator, runs: int, days: int, rows: int, effect: Floats, world: World, since: int = 0
) -> Days:
    """Counts of `simulate.excess` for `runs` deployments of `days`; `rows` a day and slice."""
    all_days = world.before + days
    planted = np.where(np.arange(all_days)[:, None, None] >= world.before + since, effect, 0.0)
    drawn = [sim.shocks(rng, all_days, len(effect), world.clustered) for _ in range(runs)]
    shock = _lasting(np.stack(drawn, axis=1), world.lasting)
    mean = sim.daily_mean(planted, shock, world.least)
    share = np.broadcast_to(sim.disagreement(planted, world.least), mean.shape)
    differ = rng.binomial(rows, share)
    worse = rng.binomial(differ, (share + mean) / (2 * share))
    n = np.full(len(effect), float(rows))
    return Days(worse.astype(float), (differ - worse).astype(float), n, world.before)


def _lasting(shock: Floats, share: float) -> Floats:
    """AR(1) with the standard deviation of the independent shocks (days, runs, streams)."""
    out = shock.copy()
    for day in range(1, len(out)):
        out[day] = share * out[day - 1] + math.sqrt(1 - share**2) * shock[day]
    return out


class Said(NamedTuple):
    """Of the days of the deployment, each (days, runs, streams): see `monitors._effects.Said`. beside None: the streams
    are not read beside the others."""

    effect: Floats
    beside: Floats | None = None
    beside_effect: Floats | None = None

    def first(self, streams: int) -> Said:
        """Of the first so many streams."""
        return Said(*(None if part is None else part[..., :streams] for part in self))


def of_whole(monitor: EDetector, whole: Days, slices: Days) -> Said:
    """Of all rows; (some of) the slices are read together with them."""
    return Said(_together(monitor, whole, slices)[..., :1])


def of_slices(monitor: EDetector, whole: Days, slices: Days) -> Said:
    """Of the slices, read together with all rows."""
    every = _together(monitor, whole, slices)
    if not monitor.lasting_shocks:
        return Said(every[..., 1:])
    all_rows, own = (DayTable(*_sums(part), whole.before) for part in (whole, slices))
    surprise = surprises(all_rows, own, every[..., :1])
    less = lasting_effects(adjusted(own, surprise), monitor.day_correlation)
    return Said(every[..., 1:], surprise[whole.before :], less)


def _together(monitor: EDetector, *parts: Days) -> Floats:
    """Design effects of the days of the deployment, (days, runs, streams of all parts)."""
    before, prior = parts[0].before, monitor.day_correlation
    if not monitor.lasting_shocks:
        return np.concatenate([_effects(part, prior)[before:] for part in parts], axis=-1)
    every = (np.concatenate(part, axis=-1) for part in zip(*(_sums(part) for part in parts), strict=True))
    return lasting_effects(DayTable(*every, before), prior)


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
        if day and day != found.before:
            seen = variance[day] > 0
            jump = (mean[day] - mean[day - 1]) ** 2 / np.where(seen, variance[day], 1.0) / pair - 1
            top, bottom = top + np.where(seen, jump * weight, 0.0), bottom + np.where(seen, others * weight, 0.0)
    return out


def _sums(found: Days) -> tuple[Floats, Floats, Floats]:
    mean = (found.worse - found.better) / found.n
    n = np.broadcast_to(found.n, mean.shape)
    return n, mean, found.worse + found.better - n * mean**2


def alarms(found: Days, monitor: EDetector, threshold: float, days: Said) -> Floats:
    """(runs, streams) index of the first day of an alarm, counted from the deployment, inf without."""
    limit = math.log(threshold)
    cap = limit / monitor.min_days if monitor.min_days > 1 else math.inf
    worse, better = found.worse[found.before :], found.better[found.before :]
    state, out = np.full((2, *worse.shape[1:], len(LAMBDAS)), -np.inf), np.full(worse.shape[1:], math.inf)
    for day in range(len(worse)):
        counts = worse[day], better[day], found.n
        factor = np.stack([_factor(*counts) / days.effect[day][..., None], _beside(days, day, *counts)])
        state = np.logaddexp(state, 0.0) + np.minimum(factor, cap)
        evidence = np.logaddexp.reduce(state + STAKES, axis=-1)
        both = evidence[0] if days.beside is None else np.logaddexp(*evidence) - math.log(2)
        hit = (both >= limit) & ((day + 1) * found.n >= monitor.min_labels) & np.isinf(out)
        for run, stream in np.argwhere(hit):
            own = worse[: day + 1, run, stream], better[: day + 1, run, stream], found.n[stream]
            if _matters(*own, monitor.trivial):
                out[run, stream] = day
    return out


def _beside(days: Said, day: int, worse: Floats, better: Floats, n: Floats) -> Floats:
    """(..., 14) log factors of the losses less what the day did to the others."""
    if days.beside is None or days.beside_effect is None:
        return np.zeros((*worse.shape, len(LAMBDAS)))
    known = np.isfinite(days.beside[day])
    found = _factor(worse, better, n, np.where(known, days.beside[day], 0.0), scaled=True)
    return np.where(known[..., None], found / days.beside_effect[day][..., None], 0.0)


def _factor(worse: Floats, better: Floats, n: Floats, less: Floats | float = 0.0, *, scaled: bool = False) -> Floats:
    """(..., 14) log factors of counts (...) of losses less a constant."""
    less = np.asarray(less)
    size = 1 + np.abs(less) if scaled else np.ones(less.shape)
    logs = [np.log1p(LAMBDAS * ((value - less) / size)[..., None]) for value in (1, -1, 0)]
    parts = (worse, better, n - worse - better)
    return sum(part[..., None] * log for part, log in zip(parts, logs, strict=True))


def _matters(worse: Floats, better: Floats, n: float, trivial: float) -> bool:
    """Whether the mean since the likeliest start is worth an alarm; counts by day."""
    first = likeliest_start(list(_factor(worse, better, n, trivial)))
    return float((worse - better)[first:].mean()) / n >= trivial


def thresholds(monitor: EDetector, slices: int) -> tuple[float, float]:
    """Of all rows, and of each of so many standard slices."""
    streams = [sim.stream(name, []) for name in (OVERALL, *(f"s{k}" for k in range(slices)))]
    found = monitor.thresholds(streams)
    return found[OVERALL], found["s0"]
