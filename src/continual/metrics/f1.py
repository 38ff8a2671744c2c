"""F1: one number for precision and recall."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from continual.metrics._confusion import ClassRatio


class F1(ClassRatio):
    """2 tp / (2 tp + fp + fn) of weighted rows, the harmonic mean of precision and recall, in [0, 1].

    Of class 1 (binary) or averaged over the classes (multiclass). Interval: delta method on the logit scale, clustered
    by day; paired comparison: t, clustered by day. Undefined with fewer than 5 labels or where nothing is positive,
    neither label nor decision; such a class is left out of a mean.
    """

    kind: Literal["f1"] = Field("f1", description="Harmonic mean of precision and recall, in [0, 1].")

    @property
    def nothing(self) -> str:
        return f"no label is positive and no row is decided positive at {self.threshold:g}"
