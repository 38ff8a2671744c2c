"""Metrics of the confusion table: how often each label got each decision."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from continual.core.cells import Carried, Cells, Ints
from continual.core.day_tables import DayTables
from continual.metrics._linearised import Whys
from continual.metrics._losses import probabilities_flaw
from continual.metrics._table import TableMetric
from continual.metrics.base import Floats, Rows, Task

#: Scores this near to a bin edge are that edge.
_SAME = 1e-7


class ConfusionMetric(TableMetric):
    """g(table of label by decision). Binary: `score >= threshold`; multiclass: the class of the highest score."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.BINARY, Task.MULTICLASS})
    lower: ClassVar[float] = 0.0
    upper: ClassVar[float] = 1.0
    threshold: float = Field(0.5, gt=0, lt=1, description="Binary: scores at or above this count as positive.")

    @property
    def name(self) -> str:
        return self.kind if self.threshold == 0.5 else f"{self.kind}@{self.threshold:g}"

    def carried(self) -> Carried | None:
        own = super().carried()
        return own and Carried(own.terms, own.products, counts=True, thresholds=(self.threshold,))

    def flaw(self, rows: Rows, *scores: Floats) -> str | None:
        return probabilities_flaw(rows, *scores, probabilities=False)

    def placed(self, rows: Rows, score: Floats) -> tuple[Ints, Floats, tuple[int, int]]:
        classes = score.shape[1] if score.ndim == 2 else 2
        return decided(score, self.threshold), np.arange(classes, dtype=float), (classes, classes)

    def columns(self, cells: Cells) -> tuple[DayTables, Floats] | str:
        if cells.tables is None:
            return "these cells carry no counts"
        if cells.edge is None:
            return cells.tables, np.arange(cells.tables.counts.shape[-1], dtype=float)
        split = int(np.searchsorted(cells.edge, self.threshold - _SAME)) + 1
        if split > len(cells.edge) or abs(cells.edge[split - 1] - self.threshold) > _SAME:
            return f"the score bins have no edge at the threshold {self.threshold:g}"
        return cells.tables.halved(split), np.array([0.0, 1.0])


class ClassRatio(ConfusionMetric):
    """Per class hits / (rows of the class and/or rows decided so): precision, recall, F1.

    average, multiclass only: `macro` = plain mean over the classes for which it is defined (scikit-learn with
    zero_division=nan), `weighted` = that mean weighted by the classes' labels, `micro` = all classes' hits over all
    their rows.
    """

    average: Literal["macro", "micro", "weighted"] = Field("macro", description="Multiclass: mean over the classes.")
    logit: ClassVar[bool] = True
    how: ClassVar[str] = "ratio of weighted sums"
    #: The denominator counts rows labelled so, rows decided so; hits count this often.
    labelled: ClassVar[bool] = True
    decided: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return super().name if self.average == "macro" else f"{super().name}_{self.average}"

    @property
    @abstractmethod
    def nothing(self) -> str:
        """Why it is undefined where no class has a denominator."""

    @property
    def _hits(self) -> int:
        return int(self.labelled) + int(self.decided)

    def value_and_gradient(self, table: Floats, center: Floats) -> tuple[Floats, Floats]:
        k = table.shape[1]
        below = self._below(table)
        hit, labels = np.diagonal(table, axis1=1, axis2=2), table.sum(axis=2)
        own = below > 0
        ratio = np.where(own, self._hits * hit / np.where(own, below, 1.0), 0.0)
        share = self._shares(own.astype(np.float64), labels, below)
        value = np.sum(share * ratio, axis=1)
        per = np.where(own, share / np.where(own, below, 1.0), 0.0)
        slope = np.eye(k) * (self._hits * per)[:, :, None]
        if k > 2 and self.average == "micro":  # one ratio of all classes together
            ratio = np.broadcast_to(value[:, None], ratio.shape)
        if self.labelled:
            slope = slope - (per * ratio)[:, :, None]
        if self.decided:
            slope = slope - (per * ratio)[:, None, :]
        if k > 2 and self.average == "weighted":  # the labels are the weights of the mean, too
            total = np.sum(labels * own, axis=1)[:, None]
            slope = slope + (np.where(own, ratio - value[:, None], 0.0) / total)[:, :, None]
        return np.where(share.sum(axis=1) > 0, value, np.nan), slope

    def trials(self, table: Floats) -> Floats:
        below, hit = self._below(table), np.diagonal(table, axis1=1, axis2=2)
        if self._hits == 2:  # F1 = 2q / (1 + q) of the share q of hits: half the rows bound it safely
            below = (below - hit) / 2
        used = below[:, 1:2] if table.shape[1] == 2 else below
        return np.asarray(np.where(used > 0, used, np.inf).min(axis=1))

    def reasons(self, table: Floats, weight: Floats) -> Whys:
        below = self._below(table)
        empty = (below[:, 1:] if table.shape[1] == 2 else below).max(axis=1) <= 0
        return [self.nothing if hit else None for hit in empty.tolist()]

    def _below(self, table: Floats) -> Floats:
        """(S, K) denominators."""
        return np.asarray(self.labelled * table.sum(axis=2) + self.decided * table.sum(axis=1))

    def _shares(self, own: Floats, labels: Floats, below: Floats) -> Floats:
        """(S, K) weight of each class in the mean."""
        if own.shape[1] == 2:
            return np.asarray(own * np.array([0.0, 1.0]))
        by = {"macro": own, "weighted": own * labels, "micro": below}[self.average]
        return np.asarray(by / by.sum(axis=1, keepdims=True))


def decided(score: Floats, threshold: float) -> Ints:
    """(n,) class that each row is decided to be."""
    return np.asarray(score.argmax(axis=1) if score.ndim == 2 else score >= threshold, dtype=np.int64)
