"""Retrain when staleness has cost as much as a retrain does. The default."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from continual.core.forecast import Forecast, forecast
from continual.core.prices import Prices
from continual.triggers.base import Decision, Needs, Trigger, TriggerEvidence, first


class Cost(Trigger):
    """Retrain at S >= c. S: worth of what the champion has lost since the last retrain against a fresh model, the
    shadow, times the chance that a candidate is promoted. c: price of a retrain (policy section `prices`). What was
    lost is no reason where a fresh model is not expected to be better now.

    Where nothing was measured, the loss expected from earlier generations stands in: then S >= c is the square-root
    rule, T* = sqrt(2 c / (worth of a day x slope)).
    """

    kind: Literal["cost"] = "cost"
    shadow: bool = Field(True, description="Fit a cheap fresh model now and then (policy section `shadow`) to compare.")
    min_days: float = Field(2, gt=0, allow_inf_nan=False, description="Days between retrains at least.")
    max_days: float = Field(
        90, gt=0, allow_inf_nan=False, description="Retrain after so many days if no day could be measured."
    )

    @property
    def needs(self) -> Needs:
        return Needs(shadow=self.shadow)

    def decide(self, evidence: TriggerEvidence) -> Decision:
        if not evidence.has_champion:
            return first(evidence, self.min_days)
        since = evidence.since_retrain
        if since is not None and since < self.min_days:
            return Decision(False, f"last retrain {since:.1f} days ago, none before {self.min_days:g}")
        found = forecast(evidence)
        if found is None:
            return self._by_age(since)
        prices = evidence.prices or Prices()
        said = f"{_lost(found, prices)}, a retrain costs {prices.money(found.cost)}"
        if not found.measured and since is not None and since >= self.max_days:
            return Decision(True, f"{since:.0f} days without a measurement; {said}")
        if found.lost >= found.cost and found.gain <= 0:
            return Decision(False, f"{said}, but by now a fresh model would not be better")
        return Decision(found.lost >= found.cost, said)

    def _by_age(self, since: float | None) -> Decision:
        if since is None:
            return Decision(True, "it is not known when the champion was trained")
        due = since >= self.max_days
        return Decision(due, f"last retrain {since:.1f} days ago, {'due' if due else 'not due'} at {self.max_days:g}")


def _lost(found: Forecast, prices: Prices) -> str:
    how = f"measured on {found.measured} days" if found.measured else "by the square-root rule, nothing measured"
    return f"against a fresh model {prices.money(found.lost)} lost since the last retrain ({how})"
