"""What every gate can do: read frozen evidence, answer promote / reject / need labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from continual.core.family import Family, Strategy
from continual.core.verdict import GateEvidence, Verdict

GATES = Family("gate", "continual.gates")


@dataclass(frozen=True)
class MetricTerms:
    """What the policy says about one metric, as far as a gate needs it."""

    priority: str
    margin: float
    floor: float | None
    higher_is_better: bool


class Gate(Strategy):
    """Pure: same evidence and terms, same verdict."""

    family: ClassVar[Family] = GATES

    @property
    def reads_noise(self) -> bool:
        """Whether it takes wrong labels out of comparisons: `MetricEvidence.noise` must be there."""
        return False

    @property
    def measures_noise(self) -> bool:
        """Whether `GateEvidence.noise` must be there, from rows that two people labelled."""
        return False

    @abstractmethod
    def judge(self, evidence: GateEvidence, terms: Mapping[str, MetricTerms]) -> Verdict:
        """The verdict; fails closed: anything missing, undefined or NaN never promotes."""
