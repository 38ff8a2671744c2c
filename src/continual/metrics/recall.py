"""Recall: how many of the positive rows are found."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from continual.metrics._confusion import ClassRatio


class Recall(ClassRatio):
    """tp / (tp + fn) of weighted rows, in [0, 1]; of class 1 (binary) or averaged over the classes (multiclass).

    Interval: delta method on the logit scale, clustered by day; paired comparison: t, clustered by day. Undefined with
    fewer than 5 labels or without a positive label; a class without labels is left out of a mean.
    """

    kind: Literal["recall"] = Field("recall", description="Share of the positives that are found, in [0, 1].")
    decided: ClassVar[bool] = False

    @property
    def nothing(self) -> str:
        return "no label is positive"
