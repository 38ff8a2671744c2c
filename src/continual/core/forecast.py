"""What a retrain would bring and what it costs, in the policy's unit, from a trigger's evidence; with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.prices import Prices
from continual.core.staleness import Excess, excess
from continual.core.trigger_evidence import PastRetrain, TriggerEvidence

Floats = npt.NDArray[np.float64]
#: Days between retrains that a forecast may assume.
SHORTEST, LONGEST = 2.0, 90.0
#: Retrains that tell what the next one takes.
RECENT = 5
#: Two-sided 95%.
Z = 1.959963984540054


@dataclass(frozen=True)
class Bill:
    """Expected price of a retrain and its range over recent ones, by part: fixed, cpu, labels, risk."""

    total: float
    low: float
    high: float
    parts: dict[str, float]


@dataclass(frozen=True)
class Forecast:
    """A retrain now against keeping the champion, over the days until the next retrain would be due.

    gain, low, high: worth of the loss avoided, with a 95% interval, times the chance that the gate lets the candidate
    through. cost, cost_low, cost_high: of the retrain. lost: worth of what was lost since the last retrain against a
    fresh model. horizon: days. measured: matured days behind it, 0 = the square-root rule alone.
    """

    unit: str
    gain: float
    low: float
    high: float
    cost: float
    cost_low: float
    cost_high: float
    lost: float
    chance: float
    horizon: float
    measured: int
    parts: dict[str, float]

    @property
    def net(self) -> float:
        return self.gain - self.cost

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "net": self.net}

    def sentence(self, prices: Prices) -> str:
        """For people."""
        unit = prices.money
        return (
            f"expected gain {unit(self.gain)} [{self.low:.3g}, {self.high:.3g}] over {self.horizon:.0f} days for "
            f"{unit(self.cost)}: net {self.net:+.3g}"
        )


def bill(evidence: TriggerEvidence) -> Bill:
    """What the next retrain will take, judging by recent ones.

    Risk: a bad day's price times the chance that a promoted version is rolled back, (k + 1) / (n + 20).
    """
    prices = evidence.prices or Prices()
    past = evidence.retrains[-RECENT:]
    cpu = [r.cpu_seconds * prices.cpu_second for r in past if r.cpu_seconds is not None]
    labels = [r.labels * prices.label for r in past]
    promoted = [r for r in evidence.retrains if r.promoted]
    rate = (sum(r.rolled_back for r in promoted) + 1) / (len(promoted) + 20)
    parts = {"retrain": prices.retrain, "cpu": _mean(cpu), "labels": _mean(labels), "risk": prices.bad_day * rate}
    fixed = prices.retrain + parts["risk"]
    low, high = (fixed + pick(cpu, default=0.0) + pick(labels, default=0.0) for pick in (min, max))
    return Bill(sum(parts.values()), low, high, parts)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def chance(retrains: Sequence[PastRetrain]) -> float:
    """That a candidate is promoted: of the last ten, with nine of ten before any was seen."""
    recent = retrains[-10:]
    return (sum(r.promoted for r in recent) + 9) / (len(recent) + 10)


def forecast(evidence: TriggerEvidence) -> Forecast | None:
    """None without a champion or without prices (evidence of an earlier release)."""
    if evidence.prices is None or not evidence.has_champion or evidence.age is None:
        return None
    prices, price, odds = evidence.prices, bill(evidence), chance(evidence.retrains)
    found, days = lost_days(evidence)
    daily = prices.worth(1.0, evidence.volume)
    lost = _accumulated(found.mean[-days:] * daily)
    horizon = _horizon(price.total, daily * odds, found)
    middle, half = found.now * daily * odds * horizon, Z * found.now_sd * daily * odds * horizon
    return Forecast(
        unit=prices.unit,
        gain=middle,
        low=middle - half,
        high=middle + half,
        cost=price.total,
        cost_low=price.low,
        cost_high=price.high,
        lost=lost * odds,
        chance=odds,
        horizon=horizon,
        measured=found.measured,
        parts=price.parts,
    )


def lost_days(evidence: TriggerEvidence) -> tuple[Excess, int]:
    """The excess on every day of the champion up to now, and how many of them came after the last retrain."""
    age = evidence.age or 0.0
    reigning = min(evidence.reigning if evidence.reigning is not None else age, age, 2 * LONGEST)
    since = reigning if evidence.since_retrain is None else min(max(evidence.since_retrain, 0.0), reigning)
    days = max(int(since), 1)
    ages = np.arange(max(int(reigning), days) - 1, -1, -1, dtype=float)
    return excess(evidence, np.maximum(age - ages, 0.0)), days


def _accumulated(worth: Floats) -> float:
    """S = max(0, S + worth of the day)."""
    total = 0.0
    for value in worth:
        total = max(0.0, total + float(value))
    return total


def _horizon(price: float, daily: float, found: Excess) -> float:
    """sqrt(2 x price / worth of the slope): days until the next retrain would pay."""
    slope = found.slope.mean * daily
    return float(np.clip(np.sqrt(2 * price / slope), SHORTEST, LONGEST)) if slope > 0 else LONGEST
