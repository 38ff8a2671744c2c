"""What needs no model: the usual answer, and the last one that was known. A model that loses to them earns nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.target import Target

Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Baseline:
    """One metric of a baseline on the rows that judged a candidate, all of them. name: majority, mean or persistence.
    candidate, champion: the models on the same rows. None = undefined, or no champion. better: +1 when higher is
    better, -1 when lower is."""

    name: str
    metric: str
    better: int
    value: float | None
    candidate: float | None
    champion: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def beats(self) -> bool:
        """Whether the candidate is no better than it."""
        if self.value is None or self.candidate is None:
            return False
        return self.better * (self.candidate - self.value) <= 0


def usual_name(target: Target) -> str:
    """mean for numbers, majority for classes."""
    return "mean" if target.task == "regression" else "majority"


def usual(target: Target, labels: Floats, n: int) -> Floats:
    """(n,) or (n, K): the mean of the training labels (m,), the share of 1, or the shares of the classes."""
    if target.task == "multiclass":
        shares = np.bincount(labels.astype(np.int64), minlength=len(target.classes)) / len(labels)
        return np.tile(shares, (n, 1))
    return np.full(n, labels.mean())


def persistent(
    target: Target, at: Instants, labels: Floats, events: Instants, known: Instants, other: Floats
) -> Floats:
    """(n,) or (n, K): at each instant of `at` (n,) the label of the newest row whose label was known by then.

    labels, events, known: (m,) of other rows: value, event time, the instant it became known. other: (n,) or (n, K)
    answers where none was known.
    """
    if not len(labels):
        return other
    order = np.argsort(known, kind="stable")
    newest = _newest(events[order])
    found = np.searchsorted(known[order], at, side="right") - 1
    value = labels[order][newest[np.maximum(found, 0)]]
    told = np.eye(len(target.classes))[value.astype(np.int64)] if target.task == "multiclass" else value
    none = (found < 0)[:, None] if told.ndim == 2 else found < 0
    return np.where(none, other, told)


def _newest(events: Instants) -> npt.NDArray[np.int64]:
    """(m,) position of the newest event among the first 1, 2, ... m."""
    highest = np.maximum.accumulate(events.astype(np.int64))
    fresh = np.r_[True, highest[1:] > highest[:-1]]
    return np.maximum.accumulate(np.where(fresh, np.arange(len(events)), 0))
