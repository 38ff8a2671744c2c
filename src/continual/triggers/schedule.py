"""Retrain when the last retrain is old enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from continual.triggers.base import Decision, Trigger, TriggerEvidence


class Schedule(Trigger):
    """Every so many days since the last retrain."""

    kind: Literal["schedule"] = "schedule"
    every_days: float = Field(28, gt=0, allow_inf_nan=False, description="Days between retrains.")

    def decide(self, evidence: TriggerEvidence) -> Decision:
        if evidence.last_retrain is None:
            return Decision(True, "nothing was trained yet")
        age = (evidence.as_of - evidence.last_retrain) / timedelta(days=1)
        if age < 0:
            return Decision(False, f"not due: the last retrain is {-age:.1f} days after this instant")
        due = age >= self.every_days
        return Decision(due, f"last retrain {age:.1f} days ago, {'due' if due else 'not due'} at {self.every_days:g}")
