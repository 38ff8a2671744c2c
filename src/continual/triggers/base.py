"""What every trigger can do: read frozen evidence, answer retrain or not, with the reason."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from continual.core.family import Family, Strategy
from continual.core.forecast import forecast
from continual.core.prices import Prices
from continual.core.trigger_evidence import TriggerEvidence as TriggerEvidence  # noqa: PLC0414

TRIGGERS = Family("trigger", "continual.triggers")


@dataclass(frozen=True)
class Needs:
    """Parts of the evidence that cost something to gather, and that a trigger asks for.

    shadow: `days` and `generations`, by fitting a fresh model now and then. looks: how many past looks at `watched`,
    pairs of slice and metric ('' = the primary one). distances: kinds of distance measured on every feature, from the
    champion's training rows to the newest.
    """

    shadow: bool = False
    looks: int = 0
    watched: frozenset[tuple[str, str]] = frozenset()
    distances: frozenset[str] = frozenset()

    def __or__(self, other: Needs) -> Needs:
        looks, watched = max(self.looks, other.looks), self.watched | other.watched
        return Needs(self.shadow or other.shadow, looks, watched, self.distances | other.distances)


@dataclass(frozen=True)
class Decision:
    """Retrain or not, and the sentence that says why."""

    retrain: bool
    reason: str


def first(evidence: TriggerEvidence, again_after: float = 2.0) -> Decision:
    """Where nothing serves there is nothing to watch: train, and try again after so many days."""
    since = evidence.since_retrain
    if since is None:
        return Decision(True, "nothing was trained yet")
    due = since >= again_after
    return Decision(due, f"nothing serves yet, last try {since:.1f} days ago, {'due' if due else 'not due'}")


def reasoned(trigger: Trigger, evidence: TriggerEvidence) -> Decision:
    """What the trigger says; of a retrain also what it should bring and cost, in the policy's unit."""
    said, found = trigger.decide(evidence), forecast(evidence)
    if not said.retrain or found is None:
        return said
    return Decision(True, f"{said.reason}; {found.sentence(evidence.prices or Prices())}")


class Trigger(Strategy):
    """Pure: same evidence, same decision."""

    family: ClassVar[Family] = TRIGGERS

    @abstractmethod
    def decide(self, evidence: TriggerEvidence) -> Decision:
        """Retrain now?"""

    @property
    def parts(self) -> Sequence[Trigger]:
        """Triggers it is made of."""
        return ()

    @property
    def needs(self) -> Needs:
        """What `decide` reads besides labels, age and prices; of the parts by default."""
        out = Needs()
        for part in self.parts:
            out |= part.needs
        return out

    def wants_look(self, evidence: TriggerEvidence) -> bool:
        """Whether a shadow should be fitted now, before its time."""
        return any(part.wants_look(evidence) for part in self.parts)
