"""Which rows train and which judge: length, weights and the rules that skip a retrain."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from continual.core.duration import Duration, spell
from continual.models.spec import Section

_SOME_TIME = timedelta(0)  # durations that must be longer than nothing


class TrainingWindow(Section):
    """Rows a candidate learns from, and how much the older ones count."""

    kind: Literal["sliding", "expanding"] = Field("sliding", description="expanding starts at active.start.")
    length: Duration = Field(timedelta(days=91), gt=_SOME_TIME, description="Length of the training window (sliding).")
    half_life: Duration | None = Field(
        None, gt=_SOME_TIME, description="A row this much older weighs half as much in training; empty: all the same."
    )

    @property
    def label(self) -> str:
        """`sliding 13w, half-life 4w`."""
        span = f"sliding {spell(self.length)}" if self.kind == "sliding" else "expanding"
        return span if self.half_life is None else f"{span}, half-life {spell(self.half_life)}"


class InfluenceCap(Section):
    """How much of what a model learns may come from one source."""

    by: str = Field(description="Logged column that names the source of a row: a partner, a device, a region.")
    share: float = Field(gt=0, le=1, description="No source has more than this share of the training rows.")


class WindowPolicy(TrainingWindow):
    """Which rows train and which rows judge. Judging rows are always later than training rows."""

    candidates: list[TrainingWindow] = Field(
        [],
        max_length=8,
        description="Other training windows. At every retrain the one whose model does best on the rows just before "
        "the judging window is used (forward validation by the first trainer); ties go to the one above.",
    )
    evaluation: Duration = Field(
        timedelta(days=28), gt=_SOME_TIME, description="Length of the judging window, just before now."
    )
    min_rows: int = Field(1000, ge=1, description="Fewer labelled training rows: skip, with the reason.")
    max_hole: Duration = Field(
        timedelta(days=7), description="A longer gap without rows in the training window: skip, with the reason."
    )
    min_coverage: float = Field(
        0.0, ge=0, le=1, description="Smaller share of the training window's rows with a label: skip, with the reason."
    )
    leave_out_quarantined_models: bool = Field(
        False, description="Rows that a quarantined model served do not train: what it decided may have shaped them."
    )
    influence: InfluenceCap | None = Field(
        None, description="Bounds what one source can teach, so that a poisoned one cannot fill a retrain."
    )
    weigh_by_probability: bool = Field(
        False,
        description="Training rows weigh 1 / their chance of a label and of being drawn to train. Widens more than it "
        "corrects: leave it off unless the model is simple and must be right on average.",
    )

    @property
    def choices(self) -> list[TrainingWindow]:
        """The policy's own window, then the others."""
        own = TrainingWindow(kind=self.kind, length=self.length, half_life=self.half_life)
        return list(dict.fromkeys([own, *self.candidates]))
