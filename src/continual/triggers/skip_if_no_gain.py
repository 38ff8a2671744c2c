"""Another trigger, unless a fresh model would surely not pay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from continual.core.family import InFamily
from continual.core.forecast import forecast
from continual.core.prices import Prices
from continual.triggers.base import TRIGGERS, Decision, Needs, Trigger, TriggerEvidence


class SkipIfNoGain(Trigger):
    """What `trigger` says, but no retrain whose forecast gain stays below its cost even at the upper end of the 95%
    interval. Where nothing was measured nothing is skipped."""

    kind: Literal["skip_if_no_gain"] = "skip_if_no_gain"
    trigger: Annotated[Trigger, InFamily(TRIGGERS)] = Field(description="The trigger that decides otherwise.")

    def decide(self, evidence: TriggerEvidence) -> Decision:
        said, found = self.trigger.decide(evidence), forecast(evidence)
        if not said.retrain or found is None or not found.measured or found.high >= found.cost:
            return said
        prices = evidence.prices or Prices()
        return Decision(
            False,
            f"skipped, a retrain gains at most {prices.money(found.high)} and costs {prices.money(found.cost)}: "
            f"{said.reason}",
        )

    @property
    def parts(self) -> Sequence[Trigger]:
        return (self.trigger,)

    @property
    def needs(self) -> Needs:
        return super().needs | Needs(shadow=True)
