"""The gate's answer and the evidence it rests on, as values that replay without models."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from continual.core.estimate import Comparison, Estimate

OVERALL = "overall"


class Answer(StrEnum):
    """What a gate says; a tie is `reject`: the champion stays."""

    PROMOTE = "promote"
    REJECT = "reject"
    NEED_LABELS = "need_labels"


class SliceClass(StrEnum):
    """Per-slice reading of a comparison (STATISTICS: harm veto, intersection-union proof)."""

    HARM = "harm"
    PROVEN = "proven"
    INCONCLUSIVE = "inconclusive"
    NOT_EVALUABLE = "not_evaluable"


class Tier(StrEnum):
    """What an inconclusive slice may do: critical blocks, standard rolls up, long_tail passes."""

    CRITICAL = "critical"
    STANDARD = "standard"
    LONG_TAIL = "long_tail"


@dataclass(frozen=True)
class MetricEvidence:
    """One metric of the policy's contract on one slice."""

    metric: str
    priority: str
    candidate: Estimate
    champion: Estimate | None
    comparison: Comparison | None


@dataclass(frozen=True)
class SliceEvidence:
    """All metrics on one slice; `overall` is the slice of all rows. parent: slice it rolls up to."""

    slice: str
    tier: str
    parent: str | None
    metrics: tuple[MetricEvidence, ...]


@dataclass(frozen=True)
class GateEvidence:
    """Everything a gate may look at; frozen, serialisable, enough to re-derive the verdict.

    `configured_slices` are the names the policy demands: one missing in `slices` is an error, never a pass.
    `window_uses` counts earlier decisions on an overlapping evaluation window. `leaked_rows`: evaluation
    rows that one of the models was trained on, already left out.
    """

    candidate: str
    champion: str | None
    slices: tuple[SliceEvidence, ...]
    configured_slices: tuple[str, ...]
    window: dict[str, str]
    as_of: str
    window_uses: int = 0
    leaked_rows: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> GateEvidence:
        slices = tuple(_slice(s) for s in value["slices"])
        return cls(**{**value, "slices": slices, "configured_slices": tuple(value["configured_slices"])})


def _slice(value: dict[str, Any]) -> SliceEvidence:
    return SliceEvidence(**{**value, "metrics": tuple(_metric(m) for m in value["metrics"])})


def _metric(value: dict[str, Any]) -> MetricEvidence:
    return MetricEvidence(
        metric=value["metric"],
        priority=value["priority"],
        candidate=Estimate(**value["candidate"]),
        champion=Estimate(**value["champion"]) if value["champion"] else None,
        comparison=Comparison(**value["comparison"]) if value["comparison"] else None,
    )


@dataclass(frozen=True)
class SliceFinding:
    """What the gate concluded about one slice and metric, with the minimum detectable regression."""

    slice: str
    metric: str
    slice_class: SliceClass
    gain: float | None
    low: float | None
    high: float | None
    p_harm: float | None
    p_adjusted: float | None
    n: int
    minimum_detectable: float | None
    labels_needed: int | None
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """promote / reject / need_labels, with one sentence a person can act on and all findings.

    blocking: names of the slices (or `overall`) that decided against promotion.
    labels_needed: slice -> further labels that would settle it.
    """

    answer: Answer
    reason: str
    blocking: tuple[str, ...] = ()
    labels_needed: dict[str, int] = field(default_factory=dict)
    findings: tuple[SliceFinding, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
