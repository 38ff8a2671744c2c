"""The gate's answer and the evidence it rests on, as values that replay without models."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from continual.core.estimate import Comparison, Estimate
from continual.core.label_noise import LabelNoise, NoiseTerms

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
    """One metric of the policy's contract on one slice. noise: how wrong labels enter `comparison`; None: nobody
    asked, or the metric cannot say."""

    metric: str
    priority: str
    candidate: Estimate
    champion: Estimate | None
    comparison: Comparison | None
    noise: NoiseTerms | None = None


@dataclass(frozen=True)
class SliceEvidence:
    """All metrics on one slice; `overall` is the slice of all rows. parent: slice it rolls up to."""

    slice: str
    tier: str
    parent: str | None
    metrics: tuple[MetricEvidence, ...]


@dataclass(frozen=True)
class PastDecision:
    """An earlier candidate that was measured against a champion, whatever came of it.

    as_of: instant of knowledge, ISO. shared: share of the present window's time that its window covered, in [0, 1].
    charged: error probability its verdict took from the yearly budget; None where no verdict recorded one.
    """

    candidate: str
    as_of: str
    window: dict[str, str]
    shared: float
    charged: float | None = None


@dataclass(frozen=True)
class BehaviourEvidence:
    """One behaviour test of the policy, measured on recent rows; it holds when `measured <= limit`.

    measured: None when the test could not run (`failed`), or when there is no champion to compare with and none to
    protect (`applies` False). n: rows. sentence: one line for people.
    """

    name: str
    kind: str
    measured: float | None
    limit: float
    n: int
    sentence: str
    applies: bool = True


@dataclass(frozen=True)
class GateEvidence:
    """Everything a gate may look at; frozen, serialisable, enough to re-derive the verdict.

    `configured_slices` are the names the policy demands: one missing in `slices` is an error, never a pass; the same
    with `configured_behaviours`. `window_uses` counts earlier decisions on an overlapping evaluation window.
    `leaked_rows`: evaluation rows that one of the models was trained on, already left out. `history`: earlier
    decisions in the order they were recorded; None in evidence from before there was a yearly budget. `noise`: of the
    labels, None where the policy does not ask for it.
    """

    candidate: str
    champion: str | None
    slices: tuple[SliceEvidence, ...]
    configured_slices: tuple[str, ...]
    window: dict[str, str]
    as_of: str
    window_uses: int = 0
    leaked_rows: int = 0
    history: tuple[PastDecision, ...] | None = None
    behaviours: tuple[BehaviourEvidence, ...] = ()
    configured_behaviours: tuple[str, ...] = ()
    noise: LabelNoise | None = None

    def as_dict(self) -> dict[str, Any]:
        """Without what noise of labels adds where nobody asked for it."""
        out = asdict(self)
        for item in out["slices"]:
            item["metrics"] = [_without(metric, "noise") for metric in item["metrics"]]
        return _without(out, "noise")

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> GateEvidence:
        """Also of evidence that an earlier release wrote, without the fields that came later."""
        history = value.get("history")
        parts = {
            "slices": tuple(_slice(s) for s in value["slices"]),
            "configured_slices": tuple(value["configured_slices"]),
            "history": None if history is None else tuple(PastDecision(**past) for past in history),
            "behaviours": tuple(BehaviourEvidence(**found) for found in value.get("behaviours", ())),
            "configured_behaviours": tuple(value.get("configured_behaviours", ())),
            "noise": LabelNoise.from_dict(value["noise"]) if value.get("noise") else None,
        }
        return cls(**{**value, **parts})


def _slice(value: dict[str, Any]) -> SliceEvidence:
    return SliceEvidence(**{**value, "metrics": tuple(_metric(m) for m in value["metrics"])})


def _metric(value: dict[str, Any]) -> MetricEvidence:
    return MetricEvidence(
        metric=value["metric"],
        priority=value["priority"],
        candidate=Estimate(**value["candidate"]),
        champion=Estimate(**value["champion"]) if value["champion"] else None,
        comparison=Comparison(**value["comparison"]) if value["comparison"] else None,
        noise=NoiseTerms.from_dict(value["noise"]) if value.get("noise") else None,
    )


@dataclass(frozen=True)
class SliceFinding:
    """What the gate concluded about one slice and metric, with the minimum detectable regression.

    borrowed: slice whose proof stands in for the rows this one lacks; None = it stands for itself.
    """

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
    borrowed: str | None = None


@dataclass(frozen=True)
class Spending:
    """What a decision took from the yearly budget of wrong promotions.

    budget: chance of any wrong promotion a year. charged: taken by this decision, also the level of its test. left:
    of the budget for the rest of the year that ends now. decisions: earlier ones in that year. shared: of them, in
    units of this window's time, how much data they had seen too.
    """

    budget: float
    charged: float
    left: float
    decisions: int
    shared: float


@dataclass(frozen=True)
class Deficit:
    """A slice with too few labels for a proof, and how many more would give it.

    minimum_detectable: smallest regression of `metric` it could show now, None = none. blocking: it decided against
    the candidate.
    """

    slice: str
    metric: str
    n: int
    labels_needed: int
    minimum_detectable: float | None
    blocking: bool


@dataclass(frozen=True)
class Verdict:
    """promote / reject / need_labels, with one sentence a person can act on and all findings.

    blocking: names of the slices (or `overall`, or `behaviour <name>`) that decided against promotion.
    labels_needed: slice -> further labels that would settle it.
    """

    answer: Answer
    reason: str
    blocking: tuple[str, ...] = ()
    labels_needed: dict[str, int] = field(default_factory=dict)
    findings: tuple[SliceFinding, ...] = ()
    spending: Spending | None = None

    @property
    def deficits(self) -> tuple[Deficit, ...]:
        """Every slice and metric that lacks labels, those that block first, then the largest need."""
        found = [
            Deficit(f.slice, f.metric, f.n, f.labels_needed, f.minimum_detectable, f.slice in self.blocking)
            for f in self.findings
            if f.labels_needed and f.slice != OVERALL
        ]
        return tuple(sorted(found, key=lambda d: (not d.blocking, -d.labels_needed)))

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Verdict:
        """Also of a verdict that an earlier release wrote, without the fields that came later."""
        found = [SliceFinding(**{**f, "slice_class": SliceClass(f["slice_class"])}) for f in value["findings"]]
        parts = {
            "answer": Answer(value["answer"]),
            "blocking": tuple(value["blocking"]),
            "findings": tuple(found),
            "spending": Spending(**value["spending"]) if value.get("spending") else None,
        }
        return cls(**{**value, **parts})

    def as_dict(self) -> dict[str, Any]:
        """Fields that came later are left out where they say nothing, so that old verdicts keep their bytes."""
        out = asdict(self)
        out["findings"] = [_without(finding, "borrowed") for finding in out["findings"]]
        return _without(out, "spending")


def _without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name or item is not None}
