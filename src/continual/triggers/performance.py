"""Retrain when a metric has surely fallen below what it was at the champion's promotion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator

from continual.core.trigger_evidence import Look
from continual.core.verdict import OVERALL
from continual.triggers.base import Decision, Needs, Trigger, TriggerEvidence, first


class Performance(Trigger):
    """Bad look: the whole 95% interval of the live metric is more than `drop` worse than at promotion. Retrain when
    `bad` of the last `looks` looks at one slice are bad, the latest among them: one noisy window starts nothing.

    An absolute reference alarms on every season (docs/explanation/when-to-retrain.md); `cost` compares with a fresh
    model instead.
    """

    kind: Literal["performance"] = "performance"
    metric: str | None = Field(None, description="Name of a metric of the policy. Empty: the primary one.")
    slices: list[str] = Field([OVERALL], min_length=1, description="Slices watched; `overall` is all rows.")
    drop: float = Field(0.02, ge=0, allow_inf_nan=False, description="Tolerated loss, in the metric's unit.")
    bad: int = Field(2, ge=1, description="Bad looks needed.")
    looks: int = Field(5, ge=1, le=100, description="Among so many of the last looks.")
    min_labels: int = Field(100, ge=1, description="A look at a slice with fewer labels says nothing.")

    @model_validator(mode="after")
    def _possible(self) -> Performance:
        if self.bad > self.looks:
            raise ValueError(f"{self.bad} bad looks of {self.looks} never happen")
        return self

    @property
    def needs(self) -> Needs:
        return Needs(looks=self.looks, watched=frozenset((name, self.metric or "") for name in self.slices))

    def decide(self, evidence: TriggerEvidence) -> Decision:
        if not evidence.has_champion:
            return first(evidence)
        found = list(self._slices(evidence))
        due = [text for bad, text in found if bad]
        if due:
            return Decision(True, "; ".join(due))
        return Decision(False, "; ".join(text for _, text in found))

    def _slices(self, evidence: TriggerEvidence) -> Iterator[tuple[bool, str]]:
        for name in self.slices:
            looks = [k for k in evidence.looks if k.slice == name and self.metric in (None, k.metric)]
            yield self._one(name, [k for k in looks if k.n_labelled >= self.min_labels][-self.looks :])

    def _one(self, name: str, looks: Sequence[Look]) -> tuple[bool, str]:
        if not looks:
            return False, f"{name}: no look with {self.min_labels:,} labels"
        last, bad = looks[-1], [self._is_bad(look) for look in looks]
        shown = _shown(last)
        if last.reference is None:
            return False, f"{name}: {shown}, not known at promotion"
        due = bad[-1] and sum(bad) >= self.bad
        return due, (
            f"{name}: {shown} against {last.reference:.4f} at promotion, more than {self.drop:g} worse for sure in "
            f"{sum(bad)} of {len(looks)} looks{', the latest too' if bad[-1] else ''}"
        )

    def _is_bad(self, look: Look) -> bool:
        if look.reference is None or look.low is None or look.high is None:
            return False
        best = look.high if look.better > 0 else look.low
        return look.better * (best - look.reference) < -self.drop


def _shown(look: Look) -> str:
    if look.value is None or look.low is None or look.high is None:
        return f"{look.metric} undefined"
    return f"{look.metric} {look.value:.4f} [{look.low:.4f}, {look.high:.4f}]"
