"""The rules of `benchmarks/trigger_cost.py`: when to retrain, from labelled rows that come late.

`Cost` is the product's own strategy on the product's own evidence. ADWIN: Bifet & Gavalda 2007, river's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from river.drift import ADWIN
from trigger_streams import ROWS, Stream

from continual.core.prices import Prices
from continual.core.staleness import slope_of
from continual.core.trigger_evidence import DayGain, Generation, PastRetrain, TriggerEvidence
from continual.triggers.cost import Cost

#: Days by which labels are late, days between shadows.
LAG, SHADOW_DAYS = 2, 7
START = datetime(2024, 1, 1, tzinfo=UTC)
POINT = 0.01


@dataclass
class World:
    """One rule on one stream at one price. champion: day of its training; shadows: fits that were paid."""

    stream: Stream
    price: float
    champion: int = 0
    shadows: list[int] = field(default_factory=list)
    retrains: list[int] = field(default_factory=list)

    def error(self, day: int) -> np.ndarray:
        """(ROWS,) mistakes of the champion of the moment; a rule calls it for days of this champion only."""
        return self.stream.mistakes(self.champion, day)


#: Asked every day t with days < t - LAG matured; True = retrain.
Rule = Callable[[World, int], bool]


def never(world: World, t: int) -> bool:
    return False


def every(days: int) -> Callable[[], Rule]:
    return lambda: lambda world, t: t - world.champion >= days


def performance() -> Rule:
    """Error of the last week above that of the champion's first week by 2 points for sure (95%)."""

    def rule(world: World, t: int) -> bool:
        days = range(world.champion, t - LAG)
        if len(days) < 14:
            return False
        wrong = np.array([world.error(d).mean() for d in [*days[:7], *days[-7:]]])
        first, last = wrong[:7].mean(), wrong[7:].mean()
        half = 1.96 * math.sqrt(last * (1 - last) / (7 * ROWS))
        return bool(last - half > first + 2 * POINT)

    return rule


def plain_performance() -> Rule:
    """Error of the last week above that of the champion's first week by 2 points."""

    def rule(world: World, t: int) -> bool:
        days = range(world.champion, t - LAG)
        if len(days) < 14:
            return False
        wrong = np.array([world.error(d).mean() for d in [*days[:7], *days[-7:]]])
        return bool(wrong[7:].mean() > wrong[:7].mean() + 2 * POINT)

    return rule


def adwin() -> Rule:
    detector = ADWIN()
    seen = [0]

    def rule(world: World, t: int) -> bool:
        found = False
        for d in range(max(seen[0], world.champion), t - LAG):
            for wrong in world.error(d):
                detector.update(int(wrong))
                found |= detector.drift_detected
            seen[0] = d + 1
        return found

    return rule


def psi() -> Rule:
    return lambda world, t: bool(world.stream.psi[world.champion, t - 1] > 0.2)


@dataclass
class CostRule:
    """The product's trigger. shadow: None = none; else whether its fits are cheap (a fifth of the rows, against a
    twin of the champion fitted as cheaply)."""

    shadow: bool | None
    every: int = SHADOW_DAYS
    capped: bool = False
    days: list[DayGain] = field(default_factory=list)
    past: list[Generation] = field(default_factory=list)
    tried: list[PastRetrain] = field(default_factory=list)

    def __call__(self, world: World, t: int) -> bool:
        if self.shadow is not None and (t - world.champion) % self.every == 0 and t > world.champion:
            world.shadows.append(t)
        self._measure(world, t)
        evidence = self._evidence(world, t)
        due = Cost(shadow=self.shadow is not None).decide(evidence).retrain or (self.capped and _at_cap(evidence))
        if due:
            self._close(world, t)
        return due

    def _measure(self, world: World, t: int) -> None:
        for d in range(world.champion + len(self.days), t - LAG):
            ours, fresh = world.error(d), self._fresh(world, d)
            mean = float(ours.mean())
            found = (None, None, None) if fresh is None else self._gain(world, d, fresh)
            age = d - world.champion + 0.5
            self.days.append(DayGain(f"{d}", age, ROWS, ROWS, mean, None, None, None, *found))

    def _fresh(self, world: World, d: int) -> int | None:
        newer = [s for s in world.shadows if world.champion < s <= d]
        return newer[-1] if newer else None

    def _gain(self, world: World, d: int, fresh: int) -> tuple[float, float, str]:
        cheap = bool(self.shadow)
        base, new = (world.stream.mistakes(i, d, cheap).astype(float) for i in (world.champion, fresh))
        if cheap is False:
            base = world.error(d).astype(float)
        gain = base - new
        se = math.sqrt(max(gain.var(ddof=1), 0.5 / ROWS) / ROWS)
        return float(gain.mean()), se, f"s{fresh}"

    def _evidence(self, world: World, t: int) -> TriggerEvidence:
        age = float(t - world.champion)
        return TriggerEvidence(
            as_of=START + timedelta(days=t),
            last_retrain=START + timedelta(days=world.champion),
            new_labels=0,
            has_champion=True,
            age=age,
            reigning=age,
            prices=Prices(retrain=world.price, bad_day=0),
            point=POINT,
            volume=ROWS,
            days=tuple(self.days) if self.shadow is not None else (),
            generations=tuple(self.past),
            retrains=tuple(self.tried),
        )

    def _close(self, world: World, t: int) -> None:
        """The champion's generation becomes sums; without a shadow its own decay since its first days teaches."""
        known = [d for d in self.days if d.gain is not None and d.se is not None]
        if self.shadow is None and len(self.days) > 6:
            first = float(np.mean([d.champion for d in self.days[:3]]))
            se = math.sqrt(2 * first * (1 - first) / ROWS)
            pairs = [(d.age, d.champion - first, se) for d in self.days[3:] if d.champion is not None]
        else:
            pairs = [(d.age, d.gain, d.se) for d in known if d.gain is not None and d.se is not None]
        if pairs:
            age, gain, se = (np.array(x) for x in zip(*pairs, strict=True))
            weight = 1 / se**2
            self.past.append(Generation("", len(age), float(weight @ age**2), float(weight @ (age * gain))))
        self.days = []
        self.tried.append(PastRetrain((START + timedelta(days=t)).isoformat(), 0.0, 0, True))


def _at_cap(evidence: TriggerEvidence) -> bool:
    """Age >= T* = sqrt(2 price / slope), clipped to [2, 90] days, whatever was measured."""
    prices = evidence.prices or Prices()
    slope = max(slope_of(evidence.generations, POINT).mean, 1e-9)
    return (evidence.age or 0.0) >= min(max(math.sqrt(2 * prices.retrain / slope), 2.0), 90.0)


def raw_sum() -> Rule:
    """S = max(0, S + gain of the shadow) >= price, taking every noisy day as it is."""
    rule = CostRule(False)

    def decide(world: World, t: int) -> bool:
        if (t - world.champion) % SHADOW_DAYS == 0 and t > world.champion:
            world.shadows.append(t)
        rule._measure(world, t)
        total = 0.0
        for d in rule.days:
            total = max(0.0, total + (d.gain or 0.0) / POINT)
        due = (total >= world.price and t - world.champion >= 2) or t - world.champion >= 90
        if due:
            rule.days = []
        return due

    return decide


RULES: dict[str, Callable[[], Rule]] = {
    "never": lambda: never,
    "every day": every(1),
    "every 28 days": every(28),
    "error 2 points above its first week": plain_performance,
    "the same, for sure (95%)": performance,
    "ADWIN on error": adwin,
    "PSI > 0.2": psi,
    "square root rule, no shadow": lambda: CostRule(None),
    "raw sum against a weekly shadow": raw_sum,
    "cost, weekly shadow on all rows": lambda: CostRule(False),
    "cost, weekly shadow on a fifth of the rows": lambda: CostRule(True),
    "the same, at T* at the latest": lambda: CostRule(True, capped=True),
    "the same, a shadow every 14 days (the default)": lambda: CostRule(True, every=14),
    "the same, a shadow every 28 days": lambda: CostRule(True, every=28),
}
