"""Retrain when enough matured labels have come since the last retrain."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from continual.triggers.base import Decision, Trigger, TriggerEvidence


class LabelVolume(Trigger):
    """A volume rule: data, not time, makes a retrain worth it."""

    kind: Literal["label_volume"] = "label_volume"
    at_least: int = Field(ge=1, description="Matured labelled rows since the last retrain.")

    def decide(self, evidence: TriggerEvidence) -> Decision:
        due = evidence.new_labels >= self.at_least
        return Decision(due, f"{evidence.new_labels:,} new labels, {'due' if due else 'not due'} at {self.at_least:,}")
