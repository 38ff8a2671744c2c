"""Retrain when inputs have moved far: by choice, drift alone says little about whether a retrain pays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from continual.core.trigger_evidence import ColumnDrift
from continual.triggers.base import Decision, Needs, Trigger, TriggerEvidence, first

Kind = Literal["l1", "linf", "psi", "earth_mover"]


class Drift(Trigger):
    """Retrain when the lower end of the 95% interval of a column's distance from the champion's training rows is at
    least `threshold`, in `columns_needed` columns. An effect size, never a p-value: at volume any change is
    significant.

    Alone it says little: inputs move without the concept, and the concept without the inputs
    (docs/explanation/when-to-retrain.md). `psi` therefore starts nothing unless `on_drift: retrain` is written out; as
    `on_drift: look` it asks for a shadow look and leaves the decision to a trigger beside it.
    """

    kind: Literal["drift"] = "drift"
    distance: Kind = Field("l1", description="Kind of distance, docs/how-to/metrics.md.")
    threshold: float = Field(0.2, gt=0, allow_inf_nan=False, description="In the distance's unit.")
    columns: list[str] = Field([], description="Columns watched. Empty: all features.")
    columns_needed: int = Field(1, ge=1, description="So many columns must have moved.")
    on_drift: Literal["look", "retrain"] | None = Field(
        None, description="retrain, or only look with a fresh shadow. Empty: look for psi, retrain for the others."
    )

    @model_validator(mode="after")
    def _possible(self) -> Drift:
        if self.columns and self.columns_needed > len(self.columns):
            raise ValueError(f"{self.columns_needed} of {len(self.columns)} columns never happen")
        return self

    @property
    def retrains(self) -> bool:
        """Whether it starts a retrain itself."""
        return (self.on_drift or ("look" if self.distance == "psi" else "retrain")) == "retrain"

    @property
    def needs(self) -> Needs:
        return Needs(distances=frozenset({self.distance}), shadow=not self.retrains)

    def wants_look(self, evidence: TriggerEvidence) -> bool:
        return not self.retrains and len(self._moved(evidence)) >= self.columns_needed

    def decide(self, evidence: TriggerEvidence) -> Decision:
        if not evidence.has_champion:
            return first(evidence)
        moved, own = self._moved(evidence), self._own(evidence)
        if not own:
            return Decision(False, f"{self.distance} of no column could be measured")
        if len(moved) < self.columns_needed:
            widest = max(own, key=lambda d: d.low or 0.0)
            return Decision(False, f"no drift: {_shown(widest)}, not surely {self.threshold:g}")
        said = f"drift: {', '.join(_shown(d) for d in moved[:3])}, at least {self.threshold:g} for sure"
        return Decision(True, said) if self.retrains else Decision(False, f"{said}; a reason to look, not to retrain")

    def _own(self, evidence: TriggerEvidence) -> Sequence[ColumnDrift]:
        mine = [d for d in evidence.drift if d.distance == self.distance and d.low is not None]
        return [d for d in mine if not self.columns or d.column in self.columns]

    def _moved(self, evidence: TriggerEvidence) -> list[ColumnDrift]:
        found = [d for d in self._own(evidence) if d.low is not None and d.low >= self.threshold]
        return sorted(found, key=lambda d: -(d.low or 0.0))


def _shown(d: ColumnDrift) -> str:
    return f"{d.distance} of {d.column} {d.value:.3g} [{d.low:.3g}, {d.high:.3g}]"
