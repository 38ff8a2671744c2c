"""Retrain when enough of several triggers say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from continual.core.family import InFamily
from continual.triggers.base import TRIGGERS, Decision, Trigger, TriggerEvidence


class AtLeast(Trigger):
    """At least `count` of the triggers; every member's reason is kept."""

    kind: Literal["at_least"] = "at_least"
    count: int = Field(ge=1, description="How many must say so.")
    triggers: list[Annotated[Trigger, InFamily(TRIGGERS)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _possible(self) -> AtLeast:
        if self.count > len(self.triggers):
            raise ValueError(f"count {self.count} of {len(self.triggers)} triggers never happens")
        return self

    def decide(self, evidence: TriggerEvidence) -> Decision:
        decisions = [t.decide(evidence) for t in self.triggers]
        due = sum(d.retrain for d in decisions)
        reasons = "; ".join(d.reason for d in decisions)
        return Decision(due >= self.count, f"{due} of {len(decisions)} due, {self.count} needed: {reasons}")

    @property
    def parts(self) -> Sequence[Trigger]:
        return self.triggers
