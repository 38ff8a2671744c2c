"""Precision: how many of the rows decided positive are."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from continual.metrics._confusion import ClassRatio


class Precision(ClassRatio):
    """tp / (tp + fp) of weighted rows, in [0, 1]; of class 1 (binary) or averaged over the classes (multiclass).

    Interval: delta method on the logit scale, clustered by day; paired comparison: t, clustered by day. Undefined with
    fewer than 5 labels or where no row is decided positive; a class that is never decided is left out of a mean.
    """

    kind: Literal["precision"] = Field("precision", description="Share of positives among decided positives.")
    labelled: ClassVar[bool] = False

    @property
    def nothing(self) -> str:
        return f"no row is decided positive at {self.threshold:g}"
