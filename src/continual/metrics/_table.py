"""Metrics that are a smooth function of a table of weights: label class by decision, or label class by score bin."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from continual.core.cells import ONE, Carried, Cells, Ints
from continual.core.day_tables import DayTables
from continual.metrics._linearised import CellPart, LinearisedMetric, RowPart, Whys, mean_weight, says
from continual.metrics.base import Floats, Rows


class TableMetric(LinearisedMetric):
    """g(table), homogeneous of degree 0: a row's contribution is w grad[its label, its column].

    From cells the variance of independent rows takes the mean of squared weights from all rows of the slice, exact for
    equal weights.
    """

    @abstractmethod
    def value_and_gradient(self, table: Floats, center: Floats) -> tuple[Floats, Floats]:
        """Metric (S,) and its derivative (S, L, B) by each weight of `table`; center: (B,)."""

    @abstractmethod
    def trials(self, table: Floats) -> Floats:
        """(S,) weight of the rows that could have changed a value without spread."""

    def optimism(self, table: Floats, center: Floats, weight: Floats) -> Floats:
        """(S,) how much too high the value may be by construction; weight: (S,) of one independent row."""
        return np.zeros(len(table))

    @abstractmethod
    def reasons(self, table: Floats, weight: Floats) -> Whys:
        """Why it is undefined on tables (S, L, B), or None; weight: (S,) of one independent row."""

    @abstractmethod
    def columns(self, cells: Cells) -> tuple[DayTables, Floats] | str:
        """The tables by day with the centres (B,), or why these cells have none."""

    @abstractmethod
    def placed(self, rows: Rows, score: Floats) -> tuple[Ints, Floats, tuple[int, int]]:
        """Column index of each row (n,), centres (B,), and (L, B)."""

    def carried(self) -> Carried | None:
        return Carried((ONE,), ((ONE, ONE),), counts=True)

    def of_rows(self, rows: Rows, score: Floats) -> RowPart:
        column, center, shape = self.placed(rows, score)
        at = (rows.y.astype(np.int64), column)
        flat = np.bincount(at[0] * shape[1] + at[1], weights=rows.weight, minlength=shape[0] * shape[1])
        table, total = np.asarray(flat, dtype=np.float64).reshape(1, *shape), float(rows.weight.sum())
        omega = np.array([np.dot(rows.weight, rows.weight) / total])
        size = rows.weight / total
        why = self.reasons(table, np.array([rows.weight.min()]))[0]
        if why:
            return RowPart(np.nan, size, size, why=why)
        with np.errstate(all="ignore"):
            value, slope = self.value_and_gradient(table, center)
            trials = float((self.trials(table) / omega)[0])
            optimism = float(self.optimism(table, center, omega)[0])
        return RowPart(float(value[0]), rows.weight * slope[0][at], size, trials, optimism)

    def of_cells(self, cells: Cells) -> CellPart:
        found = self.columns(cells)
        if isinstance(found, str):
            return _nothing(cells, found)
        tables, center = found
        total, omega = tables.total, mean_weight(cells)
        weight = total.sum(axis=(1, 2))
        whys = says(np.abs(weight - cells.sums[ONE].sum(axis=0)) > 1e-5 * weight, _UNSCORED, self.reasons(total, omega))
        value, slope = self.value_and_gradient(total, center)
        share, size = tables.dot(slope), tables.weight / weight
        variance, df = self.independent_rows(total, slope, omega)
        return CellPart(
            value, share, size, variance, df, self.trials(total) / omega, whys, self.optimism(total, center, omega)
        )

    def independent_rows(self, total: Floats, slope: Floats, omega: Floats) -> tuple[Floats, Floats]:
        """Variance and degrees of freedom (S,) if rows are independent and weigh `omega` each."""
        n = total.sum(axis=(1, 2)) / omega
        return np.asarray(np.einsum("slb,slb->s", total, slope**2) * omega * n / (n - 1)), np.asarray(n - 1)


_UNSCORED = "labelled rows without a usable score"


def _nothing(cells: Cells, why: str) -> CellPart:
    nan, shares = np.full(len(cells), np.nan), np.zeros(cells.n.shape)
    return CellPart(nan, shares, shares, nan, nan, nan, [why] * len(cells))
