"""Metrics of the score table: weight of rows by label and score, exact from rows, binned from cells."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from continual.core.cells import Cells, Ints
from continual.core.day_tables import DayTables
from continual.core.stats.clustered import Spread, clustered_spread
from continual.core.stats.delong import delong_spread
from continual.core.stats.flaws import flaw, one_class
from continual.metrics._linearised import Whys, says
from continual.metrics._table import TableMetric
from continual.metrics.base import Floats, Rows


class RankingMetric(TableMetric):
    """g(table of label by score) with the scores of its columns in ascending order.

    From rows every distinct score is a column; from cells every score bin is, and rows of one bin count as tied.
    """

    lower: ClassVar[float] = 0.0
    upper: ClassVar[float] = 1.0
    how_cells: ClassVar[str] = "binned"
    #: Scores must be probabilities.
    probabilities: ClassVar[bool] = False
    #: It needs both classes, and with few rows of one the t quantile is wider (Welch-Satterthwaite).
    by_class: ClassVar[bool] = True

    def flaw(self, rows: Rows, *scores: Floats) -> str | None:
        if scores[0].ndim == 2:
            return f"{self.kind} is for binary labels"
        why = flaw(rows.y, rows.weight, *scores, probabilities=self.probabilities)
        return why or (one_class(rows.y) if self.by_class else None)

    def placed(self, rows: Rows, score: Floats) -> tuple[Ints, Floats, tuple[int, int]]:
        center, column = np.unique(score, return_inverse=True)
        return column.astype(np.int64), center, (2, len(center))

    def columns(self, cells: Cells) -> tuple[DayTables, Floats] | str:
        if cells.tables is None or cells.center is None:
            return f"{self.kind} needs the score bins of binary labels, which these cells do not carry"
        return cells.tables, cells.center

    def reasons(self, table: Floats, weight: Floats) -> Whys:
        rows = table.sum(axis=2).min(axis=1) / weight
        whys: Whys = [None] * len(table)
        why = "one class: 2 labels of each are needed"
        return says(~(rows >= 1.5), why, whys) if self.by_class else whys

    def trials(self, table: Floats) -> Floats:
        return np.asarray(table.sum(axis=2).min(axis=1))

    def spread(self, rows: Rows, share: Floats) -> Spread:
        if not self.by_class:
            return super().spread(rows, share)
        iid = delong_spread(rows.y, share)
        return clustered_spread(share, rows.day, iid) if iid.se else iid

    def independent_rows(self, total: Floats, slope: Floats, omega: Floats) -> tuple[Floats, Floats]:
        if not self.by_class:
            return super().independent_rows(total, slope, omega)
        k = total.sum(axis=2) / omega[:, None]
        df = np.maximum(k - 1, 0.5)
        parts = np.einsum("slb,slb->sl", total, slope**2) * omega[:, None] * k / df
        variance = parts.sum(axis=1)
        welch = variance**2 / np.sum(parts**2 / df, axis=1)
        small = variance <= 1e-30
        return np.where(small, 0.0, variance), np.where(small, k.sum(axis=1) - 2, welch)


def cut(score: Floats, bins: int) -> Ints:
    """Index of the equal-width bin of [0, 1] each score is in; a score on an edge is in the upper bin."""
    return np.asarray(np.searchsorted(np.arange(1, bins) / bins, score, side="right"), dtype=np.int64)
