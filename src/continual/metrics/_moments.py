"""Metrics that are a smooth function of weighted sums of per-row terms: means, and ratios of means."""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import ClassVar

import numpy as np

from continual.core.cells import ONE, Carried, Cells, Formula
from continual.core.stats.flaws import flaw_numbers
from continual.metrics._linearised import CellPart, LinearisedMetric, RowPart, Whys
from continual.metrics.base import Floats, Rows


class MomentMetric(LinearisedMetric):
    """g(sum w t): by default the mean of the last term.

    `g` is homogeneous of degree 0 in the J sums, so that a row's contribution is w grad . t (they sum to 0), a day's
    grad . T_d, and the variance of independent rows grad' M grad with M = sum w^2 t t'. The first term is `one`; only
    the last depends on the model, so that the pair's M follows from both models' and the squared difference.
    """

    #: What the last term is for binary labels, where the scan knows it.
    formula: ClassVar[Formula | None] = None

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the J terms: `one` first, the model's term last."""

    def value(self, totals: Floats) -> Floats:
        """(S,) the metric from (S, J) sums."""
        return np.asarray(totals[:, -1] / totals[:, 0])

    def gradient(self, totals: Floats) -> Floats:
        """(S, J) its derivative by each sum."""
        out = np.zeros_like(totals)
        out[:, 0], out[:, -1] = -totals[:, -1] / totals[:, 0] ** 2, 1 / totals[:, 0]
        return out

    def reasons(self, totals: Floats) -> Whys:
        """Why it is undefined on sums (S, J), or None, for each slice."""
        return [None] * len(totals)

    def flaw(self, rows: Rows, *scores: Floats) -> str | None:
        return flaw_numbers(rows.y, rows.weight, *scores)

    def carried(self) -> Carried | None:
        own: Formula | None = vars(type(self)).get("formula")  # not inherited: a subclass may have other terms
        formulas = {} if own is None else {self.names[-1]: own}
        return Carried(self.names, tuple(combinations_with_replacement(self.names, 2)), formulas=formulas)

    def of_rows(self, rows: Rows, score: Floats) -> RowPart:
        terms = self.terms(rows, score)
        table = np.stack([terms[name] for name in self.names], axis=1)
        totals = (rows.weight @ table)[None, :]
        why = self.reasons(totals)[0]
        if why:
            return RowPart(np.nan, rows.weight, rows.weight, why=why)
        slope = self.gradient(totals)[0]
        size = rows.weight * (np.abs(table) @ np.abs(slope))
        return RowPart(float(self.value(totals)[0]), rows.weight * (table @ slope), size)

    def of_cells(self, cells: Cells) -> CellPart:
        by_day = np.stack([cells.sums[name] for name in self.names], axis=2)
        totals = by_day.sum(axis=0)
        slope, n = self.gradient(totals), cells.n_labelled.sum(axis=0)
        squares = self._squares(cells)
        scale = _form(np.abs(slope), np.abs(squares), np.abs(slope))
        variance = _variance(_form(slope, squares, slope), scale, n)
        share = np.einsum("dsj,sj->ds", by_day, slope)
        size = np.einsum("dsj,sj->ds", np.abs(by_day), np.abs(slope))
        trials = np.full(len(cells), np.inf)
        return CellPart(
            self.value(totals), share, size, variance, n - 1.0, trials, self.reasons(totals), 0.0, (slope, squares)
        )

    def paired_variance(self, new: CellPart, old: CellPart, cells: tuple[Cells, Cells], pair: Cells | None) -> Floats:
        last = self.names[-1]
        if pair is None or (last, last) not in pair.products:
            return super().paired_variance(new, old, cells, pair)
        _, slopes = self.merit(np.stack([new.value, old.value]))
        a, b = slopes[0][:, None] * new.extra[0], slopes[1][:, None] * old.extra[0]
        own, other = new.extra[1], old.extra[1]
        cross = other.copy()
        cross[:, -1, :-1] = own[:, -1, :-1]
        cross[:, -1, -1] = (own[:, -1, -1] + other[:, -1, -1] - pair.products[last, last].sum(axis=0)) / 2
        forms = ((a, own, a, 1.0), (b, other, b, 1.0), (a, cross, b, -2.0))
        spread = np.sum([sign * _form(x, m, y) for x, m, y, sign in forms], axis=0)
        scale = np.sum([_form(np.abs(x), np.abs(m), np.abs(y)) for x, m, y, _ in forms], axis=0)
        return _variance(spread, scale, new.df + 1)

    def _squares(self, cells: Cells) -> Floats:
        names = self.names
        out = np.full((len(cells), len(names), len(names)), np.nan)
        for i, j in combinations_with_replacement(range(len(names)), 2):
            pair = (names[i], names[j])
            kept = cells.products.get(pair, cells.products.get(pair[::-1]))
            if kept is not None:
                out[:, i, j] = out[:, j, i] = kept.sum(axis=0)
        return out


def ones(rows: Rows) -> dict[str, Floats]:
    """The constant term."""
    return {ONE: constant(len(rows))}


@lru_cache(maxsize=8)
def constant(n: int) -> Floats:
    """(n,) ones, not to be written to."""
    out = np.ones(n)
    out.flags.writeable = False
    return out


def _form(left: Floats, middle: Floats, right: Floats) -> Floats:
    """(S,) left' middle right of every slice."""
    return np.asarray(np.einsum("si,sij,sj->s", left, middle, right))


def _variance(spread: Floats, scale: Floats, n: Floats) -> Floats:
    """Variance from a sum of squares; 0 where it is rounding of terms of magnitude `scale`."""
    return np.asarray(np.where(spread <= 1e-13 * scale, 0.0, spread) * n / (n - 1))
