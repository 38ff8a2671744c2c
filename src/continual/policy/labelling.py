"""How labels are asked for: how many, of which rows, by when, and what happens when they do not come."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from continual.core.duration import Duration

_SOME_TIME = timedelta(0)


class Labelling(BaseModel):
    """Used when the labeler asks people; where labels come by themselves nothing of it applies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Most that answers may cost in a `period`, in prices.unit. Where prices.label is 0 an answer "
        "counts 1, so that this is a number of answers. Needed when the labeler asks people.",
    )
    period: Duration = Field(timedelta(days=7), gt=_SOME_TIME, description="Counted from active.start.")
    reserve: float = Field(
        0.3, ge=0, lt=1, description="Share of the budget that only a verdict that needs labels may spend."
    )
    window: Duration | None = Field(
        None,
        gt=_SOME_TIME,
        description="Rows this old may be asked about. Empty: window.evaluation, and before the first champion the "
        "training window as well. For a pending verdict: those of them that the next gate judges.",
    )
    question: str | None = Field(
        None, max_length=500, description="What annotators are asked; empty: the label's name."
    )
    show: list[str] = Field([], description="Columns annotators see; empty: all features and tags. Never an answer.")
    annotators: int = Field(1, ge=1, le=9, description="People who must answer each row.")
    double: float = Field(
        0.05, ge=0, le=1, description="Share of rows, drawn at random, that one more person answers: measures noise."
    )
    training_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of rows, drawn at random, whose labels only train. Annotators see the model's answer there, "
        "which is faster; on rows that judge models they never do.",
    )
    tolerance: float = Field(0.0, ge=0, allow_inf_nan=False, description="Regression: answers this close agree.")
    lease: Duration = Field(
        timedelta(minutes=30), gt=_SOME_TIME, description="A row that somebody has before them is free again after."
    )
    deadline: Duration = Field(timedelta(days=7), gt=_SOME_TIME, description="After it nobody is asked any more.")
    wait: Duration = Field(timedelta(days=2), gt=_SOME_TIME, description="A run waits for its labels this long.")
    enough: float = Field(0.9, gt=0, le=1, description="Share of the rows asked about with which a run goes on.")
    on_timeout: Literal["continue", "skip"] = Field(
        "continue", description="After `wait`: go on with the labels that came, or end the run without a decision."
    )
    poll: Duration = Field(timedelta(minutes=1), gt=_SOME_TIME, description="How often a waiting run looks.")

    @property
    def answers_a_row(self) -> float:
        """Mean number of people who answer a row."""
        return self.annotators + self.double
