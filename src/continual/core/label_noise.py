"""How wrong the labels are that judge, as frozen evidence: the rate, and how it enters a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from continual.core.estimate import Comparison, Estimate


@dataclass(frozen=True)
class NoiseRate:
    """Rate of wrong labels with its 95% interval, and the standard error of the rate."""

    estimate: Estimate
    se: float | None


@dataclass(frozen=True)
class LabelNoise:
    """noise: of the labels that judge; its estimate is undefined where it is not known. refused: why these labels must
    not judge at all, '' = nothing speaks against them."""

    noise: NoiseRate
    refused: str = ""

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> LabelNoise:
        rate = value["noise"]
        return cls(NoiseRate(Estimate(**rate["estimate"]), rate["se"]), value["refused"])


@dataclass(frozen=True)
class NoiseTerms:
    """What a comparison needs besides itself so that wrong labels can be taken out of it.

    flipped: the same comparison if every label were the other one (means of a row's loss). positives: weighted share of
    label 1 (rankings). Both None: right or wrong.
    """

    flipped: Comparison | None = None
    positives: float | None = None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> NoiseTerms:
        flipped = value["flipped"]
        return cls(Comparison(**flipped) if flipped else None, value["positives"])
