"""What a model answers and how the log holds it: a probability, one for each class, or a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
TaskName = Literal["binary", "multiclass", "regression"]
#: Column of the log with the probability of a class.
PROBABILITY = "p_"


@dataclass(frozen=True)
class Target:
    """task: kind of label. classes: of multiclass, in the order of their indices; () otherwise.

    Labels are numbers in the log: 0 and 1, the index of a class, or the value itself.
    """

    task: TaskName = "binary"
    classes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the log that hold an answer."""
        if self.task == "multiclass":
            return ("prediction", *(PROBABILITY + name for name in self.classes))
        return ("prediction",)

    def answers(self, frame: pd.DataFrame) -> Floats:
        """As served: (n,) probabilities of 1 or values, (n, K) probabilities of the classes; NaN = not served."""
        if self.task == "multiclass":
            return frame[list(self.columns[1:])].to_numpy(dtype=np.float64)
        return frame["prediction"].to_numpy(dtype=np.float64)

    def excess(self, served: Floats, other: Floats, label: Floats) -> Floats:
        """(n,) loss of `served` minus that of `other` on the same rows, in [-1, 1]: what a sequential test may read.

        Probabilities: Brier loss, of several classes half the squared distance. Numbers: (|a| - |b|) / (|a| + |b|) of
        the two errors, 0 when both are 0; a bounded loss is needed, and one that one wild row cannot carry.
        """
        if self.task == "binary":
            out: Floats = (served - label) ** 2 - (other - label) ** 2
            return out
        if self.task == "multiclass":
            truth = self._truth(label)
            half: Floats = (((served - truth) ** 2).sum(axis=1) - ((other - truth) ** 2).sum(axis=1)) / 2
            return half
        ours, theirs = np.abs(served - label), np.abs(other - label)
        total = ours + theirs
        relative: Floats = np.divide(ours - theirs, total, out=np.zeros_like(total), where=total > 0)
        return relative

    def loss(self, answers: Floats, label: Floats) -> Floats:
        """(n,) loss of each row, lower is better: Brier (of several classes half the squared distance), or the
        absolute error of numbers, in their unit."""
        if self.task == "regression":
            return np.asarray(np.abs(answers - label))
        return self.excess(answers, self._truth(label), label)

    def _truth(self, label: Floats) -> Floats:
        """The answer that is certain and right."""
        if self.task == "multiclass":
            return np.eye(len(self.classes))[label.astype(np.int64)]
        return label

    def problem(self, answers: Floats) -> str | None:
        """Why answers of a model are none, or None."""
        if not np.all(np.isfinite(answers)):
            return "some are not finite"
        if self.task == "regression":
            return None
        if answers.min() < 0 or answers.max() > 1:
            return f"they are in [{answers.min()}, {answers.max()}], not in [0, 1]"
        if self.task == "multiclass" and np.any(np.abs(answers.sum(axis=1) - 1) > 1e-6):
            return "the probabilities of a row do not sum to 1"
        return None


BINARY = Target()
