"""What every trigger can do: read frozen evidence, answer retrain or not, with the reason."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

from continual.core.family import Family, Strategy

TRIGGERS = Family("trigger", "continual.triggers")


@dataclass(frozen=True)
class TriggerEvidence:
    """as_of: instant of knowledge. last_retrain: as_of of the last retrain decision that trained, or None.
    new_labels: matured labelled rows since then. has_champion: a version serves."""

    as_of: datetime
    last_retrain: datetime | None
    new_labels: int
    has_champion: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Decision:
    """Retrain or not, and the sentence that says why."""

    retrain: bool
    reason: str


class Trigger(Strategy):
    """Pure: same evidence, same decision."""

    family: ClassVar[Family] = TRIGGERS

    @abstractmethod
    def decide(self, evidence: TriggerEvidence) -> Decision:
        """Retrain now?"""
