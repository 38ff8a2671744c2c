"""What every trigger can do: read frozen evidence, answer retrain or not, with the reason."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from continual.core.family import Family, Strategy
from continual.core.trigger_evidence import TriggerEvidence as TriggerEvidence  # noqa: PLC0414

TRIGGERS = Family("trigger", "continual.triggers")


@dataclass(frozen=True)
class Needs:
    """Parts of the evidence that cost something to gather, and that a trigger asks for.

    shadow: `days` and `generations`, by fitting a fresh model now and then. looks: how many past looks at every metric
    and slice. distances: kinds of distance measured on every column, from the champion's training rows to the newest.
    """

    shadow: bool = False
    looks: int = 0
    distances: frozenset[str] = frozenset()

    def __or__(self, other: Needs) -> Needs:
        looks = max(self.looks, other.looks)
        return Needs(self.shadow or other.shadow, looks, self.distances | other.distances)


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

    @property
    def needs(self) -> Needs:
        """What `decide` reads besides labels, age and prices."""
        return Needs()


def all_needs(triggers: Iterable[Trigger]) -> Needs:
    """Of triggers that hold triggers."""
    out = Needs()
    for trigger in triggers:
        out |= trigger.needs
    return out
