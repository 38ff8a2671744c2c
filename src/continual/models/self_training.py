"""Learn from rows without a label, too: a teacher answers for them (Yarowsky 1995; Lee 2013; Hinton et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.models.spec import SelfTraining

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
#: Fits the recipe on (n, d) features, (n,) labels, (n,) weights or None = all the same.
Learn = Callable[["pd.DataFrame", Floats, Floats | None], Any]
#: A class that the teacher holds for less likely than this teaches nothing of a row, and costs as much as another.
NEGLIGIBLE = 0.01


@dataclass(frozen=True)
class Rows:
    """features: (n, d). label: (n,), NaN = unknown. weight: (n,) or None = all the same."""

    features: pd.DataFrame
    label: Floats
    weight: Floats | None

    def first(self, n: int) -> Rows:
        return Rows(self.features.iloc[:n], self.label[:n], None if self.weight is None else self.weight[:n])

    @property
    def weights(self) -> Floats:
        return np.ones(len(self.label)) if self.weight is None else self.weight


def self_trained(learn: Learn, known: Rows, spare: Rows, how: SelfTraining) -> tuple[Any, int]:
    """The model, and for how many of the rows without a label it took the teacher's answer; for none, it is the
    teacher. The teacher sees labelled rows only."""
    teacher = learn(known.features, known.label, known.weight)
    if not len(spare.label):
        return teacher, 0
    said = np.asarray(teacher.predict_proba(spare.features), dtype=np.float64)
    row, column, share = _answers(said, how.sure)
    if not len(row):
        return teacher, 0
    answer = np.asarray(teacher.classes_, dtype=np.float64)[column]
    theirs = how.weight * share * spare.weights[row]
    return _taught(learn, known, spare.features.iloc[row], answer, theirs), len(np.unique(row))


def _answers(said: Floats, sure: float | None) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Rows, classes and what each pair counts, all (m,). said: (n, K) probabilities."""
    if sure is None:
        row, column = np.nonzero(said >= NEGLIGIBLE)
        return row, column, said[row, column]
    row = np.flatnonzero(said.max(axis=1) >= sure)
    return row, said[row].argmax(axis=1), np.ones(len(row))


def _taught(learn: Learn, known: Rows, features: pd.DataFrame, answer: Floats, weight: Floats) -> Any:
    """Fitted on both; weights that are all the same are none, so that recipes that take none can learn from them."""
    import pandas as pd

    both = pd.concat([known.features, features], ignore_index=True)
    weights = np.r_[known.weights, weight]
    return learn(both, np.r_[known.label, answer], weights if np.ptp(weights) else None)
