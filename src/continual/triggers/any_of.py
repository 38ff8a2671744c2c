"""Retrain when any of several triggers says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from continual.core.family import InFamily
from continual.triggers.base import TRIGGERS, Decision, Trigger, TriggerEvidence


class AnyOf(Trigger):
    """Logical or; every member's reason is kept."""

    kind: Literal["any_of"] = "any_of"
    triggers: list[Annotated[Trigger, InFamily(TRIGGERS)]] = Field(min_length=1)

    def decide(self, evidence: TriggerEvidence) -> Decision:
        decisions = [t.decide(evidence) for t in self.triggers]
        return Decision(any(d.retrain for d in decisions), "; ".join(d.reason for d in decisions))

    @property
    def parts(self) -> Sequence[Trigger]:
        return self.triggers
