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
    trusted: list[str] = Field([], description="Types of your own that skops may load, besides those in `steps`.")
