"""What the policy says about models: features and trainers. Light: read at DAG-parse time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from continual.core.duration import Duration


class Section(BaseModel):
    """Frozen, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Features(Section):
    """What the model is given, as logged at serving time."""

    numeric: list[str] = Field(description="Numeric columns.")
    categorical: list[str] = Field([], description="Columns of names; encoded by the default pipeline.")
    extra: list[str] = Field([], description="Columns given to the trainer's own steps but not to the default encoder.")

    @property
    def all(self) -> list[str]:
        return [*self.categorical, *self.numeric, *self.extra]

    @model_validator(mode="after")
    def _once(self) -> Features:
        twice = sorted({c for c in self.all if self.all.count(c) > 1})
        if twice or not self.all:
            raise ValueError(f"every feature must be listed once and at least one is needed; twice: {twice}")
        return self


class Step(Section):
    """One step of a scikit-learn pipeline: an import path and its parameters."""

    use: str = Field(pattern=r"^[A-Za-z_][\w.]*\.[A-Za-z_]\w*$", description="Import path of a class or function.")
    params: dict[str, Any] = Field({}, description="Keyword arguments.")


ENCODER = "continual.models.pipeline.EncodeCategories"
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
BOOSTING_VALUES = "sklearn.ensemble.HistGradientBoostingRegressor"


def default_steps(task: str) -> list[dict[str, str]]:
    """What a trainer without `steps` does for labels of this task, as in the policy."""
    return [{"use": ENCODER}, {"use": BOOSTING_VALUES if task == "regression" else BOOSTING}]


class WarmStart(Section):
    """Candidates continue the champion instead of starting anew, if the same trainer made it: cheaper, and what it
    learnt stays. Now and then one must start anew, because old rows and unknown categories are never unlearnt."""

    refit_every: Duration = Field(
        timedelta(days=90), gt=timedelta(0), description="A full fit when the last one is as old as this."
    )


class SelfTraining(Section):
    """Candidates learn from rows without a label, too, where labels are few because someone has to be asked for them. A
    teacher, the same recipe, is fitted on the labelled rows of the window; the candidate on those and on the teacher's
    answers for the others. Classes only."""

    sure: float | None = Field(
        None,
        ge=0.5,
        lt=1,
        description="Take only answers the teacher gives this probability, as if they were labels. Empty: every row "
        "counts for each class by the teacher's probability of it.",
    )
    weight: float = Field(0.3, gt=0, le=1, description="What a row without a label counts beside a labelled one.")
    max_rows: int = Field(20_000, ge=1, description="Rows without a label that the teacher is shown, drawn evenly.")


class Trainer(Section):
    """How candidates are made: a scikit-learn pipeline, step by step."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    steps: list[Step] = Field(
        default_factory=lambda: [Step.model_validate(step) for step in default_steps("binary")],
        min_length=1,
        description=f"Default: {ENCODER}, then {BOOSTING} ({BOOSTING_VALUES} for regression).",
    )
    warm_start: WarmStart | None = Field(
        None, description="Continue the champion; the last step must take `warm_start`. Empty: every fit is a full one."
    )
    self_training: SelfTraining | None = Field(
        None, description="Learn from rows without a label, too; empty: from labelled rows only."
    )
    trusted: list[str] = Field([], description="Types of your own that skops may load, besides those in `steps`.")
