"""Size: the model must fit where it serves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from continual.behaviours.base import Behaviour, Measured, Subject


class Size(Behaviour):
    """Bytes of the model's artifact: at most `max_bytes`, or at most `factor` times the champion's.

    With `factor` alone the test does not apply while there is no champion.
    """

    kind: Literal["size"] = Field("size", description="Bytes of the model's artifact.")
    max_bytes: int | None = Field(None, ge=1, description="Ceiling in bytes.")
    factor: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Ceiling as a multiple of the champion's."
    )

    @model_validator(mode="after")
    def _one_ceiling(self) -> Size:
        if (self.max_bytes is None) == (self.factor is None):
            raise ValueError("name one of max_bytes and factor")
        return self

    def default_name(self) -> str:
        return "size" if self.factor is None else "size factor"

    @property
    def limit(self) -> float:
        return float(self.max_bytes if self.factor is None else self.factor)  # type: ignore[arg-type]

    def measure(self, subject: Subject) -> Measured:
        ours = subject.size(subject.candidate)
        if ours is None:
            return Measured(None, self.limit, "could not run: the size of the candidate's artifact is unknown")
        if self.factor is None:
            return Measured(float(ours), self.limit, f"{ours:,} bytes, tolerated are {self.max_bytes:,}")
        if subject.champion is None:
            return Measured(None, self.limit, "not measured, there is no champion to compare with", applies=False)
        theirs = subject.size(subject.champion)
        if not theirs:
            return Measured(None, self.limit, "could not run: the size of the champion's artifact is unknown")
        says = f"{ours:,} bytes, {ours / theirs:.2f} times the champion's, tolerated are {self.factor:g}"
        return Measured(ours / theirs, self.limit, says)
