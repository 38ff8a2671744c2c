"""How much the champion loses against a fresh model, from noisy days: the estimate behind cost, forecast and trigger.

Excess e(a), in points of the primary metric, at age a in days of the champion: a Gaussian process with mean slope x a,
learnt from earlier generations, that wanders away from it. Days without evidence take the mean, so that the
square-root rule is what is left when nothing was measured. Rasmussen & Williams 2006, Gaussian Processes for Machine
Learning, eq. 2.23-2.30.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from continual.core.trigger_evidence import Generation, TriggerEvidence

Floats = npt.NDArray[np.float64]
#: Slope of the excess in points a day before any generation was seen, and how unsure that is.
SLOPE, SLOPE_SD = 0.05, 0.05
#: Steps of the wandering in points a day that are weighed by how well they explain the days.
STEPS = (0.0, 0.03, 0.1, 0.3, 1.0)
#: Luck of a fit in points, which all days of a champion, or of a shadow, share.
LUCK = 0.3
#: Generations that teach the slope.
REMEMBERED = 8


@dataclass(frozen=True)
class Slope:
    """Points a day by which a model falls behind a fresh one. sd: how unsure. generations: it was learnt from."""

    mean: float
    sd: float
    generations: int


@dataclass(frozen=True)
class Excess:
    """Posterior of the champion's excess. mean, covariance: (D,), (D, D) in points on the days asked for; now, now_sd:
    on the newest of them. measured: days with evidence."""

    mean: Floats
    covariance: Floats
    measured: int
    slope: Slope

    @property
    def now(self) -> float:
        return float(self.mean[-1])

    @property
    def now_sd(self) -> float:
        return float(np.sqrt(max(self.covariance[-1, -1], 0.0)))


def slope_of(generations: Sequence[Generation], point: float) -> Slope:
    """Expected slope of the next generation: each past one tells its own, with noise, and they differ by SLOPE_SD;
    SLOPE counts as one more. (Random effects of known spread; a straight mean would make one quiet month a law.)"""
    newest = [g for g in generations[-REMEMBERED:] if g.waa > 0]
    told = [SLOPE, *(g.wag / g.waa / point for g in newest)]
    variance = [0.0, *(1 / (g.waa * point**2) for g in newest)]
    weight = 1 / (np.array(variance) + SLOPE_SD**2)
    mean = float(weight @ np.array(told) / weight.sum())
    return Slope(mean, float(np.sqrt(1 / weight.sum() + SLOPE_SD**2)), len(newest))


def excess(evidence: TriggerEvidence, ages: Floats) -> Excess:
    """Excess at `ages` (D,), ascending, days since the champion could be trained; it is at least one day."""
    slope = slope_of(evidence.generations, evidence.point)
    known = [d for d in evidence.days if d.gain is not None and d.se is not None]
    if not known:
        prior = _covariance(ages, ages, slope, STEPS[2])
        return Excess(slope.mean * ages, prior, 0, slope)
    at = np.array([d.age for d in known])
    gain = np.array([d.gain for d in known], dtype=float) / evidence.point
    noise = _noise([d.shadow for d in known], np.array([d.se for d in known], dtype=float) / evidence.point)
    found = [_posterior(at, gain, noise, ages, slope, step) for step in STEPS]
    weight = np.exp(np.array([f[2] for f in found]) - max(f[2] for f in found))
    weight /= weight.sum()
    mean = sum(w * f[0] for w, f in zip(weight, found, strict=True))
    spread = sum(w * (f[1] + np.outer(f[0] - mean, f[0] - mean)) for w, f in zip(weight, found, strict=True))
    return Excess(np.asarray(mean), np.asarray(spread), len(known), slope)


def _noise(shadows: Sequence[str | None], se: Floats) -> Floats:
    """(K, K) covariance of the measured gains around the truth: each day's own, and the luck of the shadow it read."""
    names = np.array([name or "" for name in shadows], dtype=object)
    return np.asarray(np.diag(se**2) + LUCK**2 * (names[:, None] == names[None, :]))


def _covariance(a: Floats, b: Floats, slope: Slope, step: float) -> Floats:
    """Luck of the champion, unsure slope, random walk."""
    both = np.minimum(a[:, None], b[None, :])
    return np.asarray(LUCK**2 + slope.sd**2 * np.outer(a, b) + step**2 * np.maximum(both, 0.0))


def _posterior(
    at: Floats, gain: Floats, noise: Floats, ages: Floats, slope: Slope, step: float
) -> tuple[Floats, Floats, float]:
    """Mean, covariance at `ages`, and log evidence of the step."""
    kernel = _covariance(at, at, slope, step) + noise
    lower = np.linalg.cholesky(kernel + 1e-9 * np.eye(len(at)))
    cross = np.linalg.solve(lower, _covariance(at, ages, slope, step))
    rest = np.linalg.solve(lower, gain - slope.mean * at)
    mean = slope.mean * ages + cross.T @ rest
    covariance = _covariance(ages, ages, slope, step) - cross.T @ cross
    evidence = -0.5 * float(rest @ rest) - float(np.log(np.diag(lower)).sum())
    return mean, covariance, evidence
