"""The product's default trigger in the benchmark: its own strategy on its own evidence, gathered as its flows do.

A shadow is fitted at a look, on a part of the rows, and compared with a twin of the champion that is fitted on as many
of the champion's own rows, on the batches that come after; their labels are as late as all others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from policies_simulate import Walk

from continual.core.prices import Prices
from continual.core.trigger_evidence import DayGain, Generation, PastRetrain, TriggerEvidence
from continual.metrics.base import METRICS, Rows

START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class CostRule:
    """share, least, most: rows of a shadow, as the policy's section `shadow`. every: looks between shadows."""

    trigger: Any
    every: int = 1
    share: float = 0.2
    least: int = 2000
    most: int = 50_000
    prices: Prices = field(default_factory=Prices)
    _champion: Any = None
    _begun: int = 0
    _shadows: list[tuple[int, int, int]] = field(default_factory=list)
    _days: list[DayGain] = field(default_factory=list)
    _past: list[Generation] = field(default_factory=list)
    _retrains: list[PastRetrain] = field(default_factory=list)
    _paid: set[Any] = field(default_factory=set)
    _point: float = 0.0

    def __call__(self, state: Walk) -> bool:
        if state.champion != self._champion:
            self._reign(state)
        self._measure(state)
        decision = self.trigger.decide(self._evidence(state))
        if decision.retrain:
            return True
        if state.look - max(self._begun, *(s[0] for s in self._shadows), self._begun) >= self.every:
            self._fit(state)
        return False

    def _reign(self, state: Walk) -> None:
        """A new champion: what was measured of the old one teaches the slope."""
        known = [d for d in self._days if d.gain is not None and d.se]
        if known:
            waa = sum((d.age / d.se) ** 2 for d in known if d.se)
            wag = sum(d.age * d.gain / d.se**2 for d in known if d.gain is not None and d.se)
            self._past.append(Generation(str(self._begun), len(known), waa, wag))
        if self._champion is not None:
            at = START + timedelta(days=state.since * state.stream.days)
            seconds = state.fits.cost(*state.champion)
            self._retrains.append(PastRetrain(at.isoformat(), seconds, 0, True))
        self._champion, self._begun = state.champion, state.since
        self._shadows, self._days = [], []

    def _fit(self, state: Walk) -> None:
        n = int(np.clip(round(state.fits.size(*state.champion) * self.share), self.least, self.most))
        for which in ((state.length, state.told), state.champion):
            if n < state.fits.size(*which) and (*which, n) not in self._paid:
                self._paid.add((*which, n))
                state.cpu += state.fits.cost(*which, n)
            elif which != state.champion and which not in self._paid:
                self._paid.add(which)
                state.cpu += state.fits.cost(*which)
        self._shadows.append((state.look, state.told, n))

    def _measure(self, state: Walk) -> None:
        """Batches whose labels came, each with the newest shadow that existed before it."""
        done = {int(d.shadow.split("/")[1]) for d in self._days if d.shadow}
        for batch in range(self._begun + 1, state.told + 1):
            mine = [s for s in self._shadows if s[0] < batch]
            if mine and batch not in done:
                self._days.append(self._one(state, batch, mine[-1]))

    def _one(self, state: Walk, batch: int, shadow: tuple[int, int, int]) -> DayGain:
        look, told, n = shadow
        at = state.rows(batch)
        y = state.stream.y[at]
        rows = Rows(y, np.ones(len(y)), state.stream.day[at], len(y), {})
        metric = METRICS.get("mae" if state.stream.task == "reg" else state.stream.metric)(
            owner="-", priority="report", margin=0
        )
        answers = [
            state.fits.of_batch(*which, batch, n).astype(float) for which in ((state.length, told), state.champion)
        ]
        gain = metric.compare(rows, *answers)
        age = (batch - self._begun - 0.5) * state.stream.days
        day = START + timedelta(days=(batch + 1) * state.stream.days)
        return DayGain(
            day=f"{day:%Y-%m-%d}", age=age, n=len(y), n_labelled=len(y), champion=None, low=None, high=None, fresh=None,
            gain=gain.gain, se=gain.se, shadow=f"{look}/{batch}",
        )  # fmt: skip

    def _evidence(self, state: Walk) -> TriggerEvidence:
        stream = state.stream
        return TriggerEvidence(
            as_of=START + timedelta(days=(state.look + 1) * stream.days),
            last_retrain=START + timedelta(days=(self._begun + 1) * stream.days),
            new_labels=0,
            has_champion=True,
            champion=str(self._begun),
            age=(state.look - self._begun) * stream.days,
            reigning=(state.look - self._begun) * stream.days,
            prices=self.prices,
            point=self._size(state),
            volume=len(stream.y) / stream.batches / stream.days,
            days=tuple(self._days),
            generations=tuple(self._past),
            retrains=tuple(self._retrains),
        )

    def _size(self, state: Walk) -> float:
        """One point: 0.01, of numbers 1% of the first model's first error."""
        if state.stream.task != "reg":
            return 0.01
        if not self._point:
            self._point = 0.01 * float(state.error(state.stream.start).mean())
        return self._point
