"""Another trigger, but never sooner than some days after the last retrain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from continual.core.family import InFamily
from continual.triggers.base import TRIGGERS, Decision, Trigger, TriggerEvidence


class Cooldown(Trigger):
    """What `trigger` says, once `days` have passed since the last retrain, whatever became of its candidate."""

    kind: Literal["cooldown"] = "cooldown"
    days: float = Field(gt=0, allow_inf_nan=False, description="Days after a retrain in which none starts.")
    trigger: Annotated[Trigger, InFamily(TRIGGERS)] = Field(description="The trigger that decides otherwise.")

    def decide(self, evidence: TriggerEvidence) -> Decision:
        said, since = self.trigger.decide(evidence), evidence.since_retrain
        if since is not None and since < self.days:
            return Decision(False, f"cooling down, last retrain {since:.1f} of {self.days:g} days ago: {said.reason}")
        return said

    @property
    def parts(self) -> Sequence[Trigger]:
        return (self.trigger,)
