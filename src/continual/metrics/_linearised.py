"""Metrics whose deviation is a sum over rows: one way to intervals and comparisons, from rows and from cells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from continual.core.cells import ONE, Cells
from continual.core.estimate import Comparison, Estimate
from continual.core.stats.additive import compared
from continual.core.stats.bounded import cut_interval, logit_interval
from continual.core.stats.clustered import MIN_DAYS, Spread, clustered_spread
from continual.core.stats.flaws import MIN_LABELS, too_few
from continual.core.stats.spreads import Spreads, by_day, compared_all, independent, no_rounding, widest
from continual.metrics.base import Floats, Metric, Rows

Whys = list[str | None]


@dataclass(frozen=True)
class RowPart:
    """Value on rows; share: (n,) each row's contribution to its deviation, summing to 0; size: (n,) magnitude of what
    a share is a difference of; trials: rows behind a value without spread; optimism: how much too high the value may be
    by construction, it widens the interval below; why: undefined, and then nothing else."""

    value: float
    share: Floats
    size: Floats
    trials: float = np.inf
    optimism: float = 0.0
    why: str | None = None


@dataclass(frozen=True)
class CellPart:
    """`RowPart` of S slices: value (S,); share, size (D, S) by day; variance (S,) if rows are independent, NaN =
    unknown, with its degrees of freedom df (S,); trials, optimism (S,); why: S reasons or None; extra: what a
    subclass keeps."""

    value: Floats
    share: Floats
    size: Floats
    variance: Floats
    df: Floats
    trials: Floats
    why: Whys
    optimism: Floats | float = 0.0
    extra: tuple[Floats, ...] = ()


class LinearisedMetric(Metric):
    """Estimates and comparisons from contributions (delta method: Wasserman 2004, ch. 9); clustered by day."""

    #: Range of the value.
    lower: ClassVar[float] = -np.inf
    upper: ClassVar[float] = np.inf
    #: Interval on the logit scale; needs the range 0 to 1.
    logit: ClassVar[bool] = False
    #: What `method` says of the value.
    how: ClassVar[str] = "weighted mean"
    how_cells: ClassVar[str] = "from cells"

    @abstractmethod
    def flaw(self, rows: Rows, *scores: Floats) -> str | None:
        """Why it is undefined on these rows, before anything is computed."""

    @abstractmethod
    def of_rows(self, rows: Rows, score: Floats) -> RowPart:
        """Value and contributions on rows without a flaw."""

    @abstractmethod
    def of_cells(self, cells: Cells) -> CellPart:
        """Value and contributions by day of every slice."""

    def paired_variance(self, new: CellPart, old: CellPart, cells: tuple[Cells, Cells], pair: Cells | None) -> Floats:
        """Variance (S,) of the oriented difference if rows are independent; NaN where cells cannot tell."""
        return np.full(len(new.value), np.nan)

    def merit(self, value: Floats) -> tuple[Floats, Floats]:
        """How good a value is (more = better) and the derivative of that."""
        sign = 1.0 if self.higher_is_better else -1.0
        return sign * value, np.full_like(value, sign)

    def interval(self, value: Floats, half: Floats, trials: Floats) -> tuple[Floats, Floats]:
        """95% intervals inside the range; half: half widths, all (S,)."""
        if self.logit:
            return logit_interval(value, half, trials)
        return cut_interval(value, half, self.lower, self.upper, trials)

    def spread(self, rows: Rows, share: Floats) -> Spread:
        """Spread of the sum of `share` (n,), by days where that is wider."""
        n = len(share)
        iid = Spread(float(np.sqrt(n / (n - 1) * np.sum(share**2))), n - 1, 0)
        return clustered_spread(share, rows.day, iid) if iid.se else iid

    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        why = self.flaw(rows, score)
        part = None if why else self.of_rows(rows, score)
        if part is None or part.why:
            return Estimate.undefined(rows.n, len(rows), why or (part.why if part else "") or "")
        spread = self.spread(rows, no_rounding(part.share, part.size))
        ends = self.interval(np.array([part.value]), np.array([spread.half_width]), np.array([part.trials]))
        low, high = max(float(ends[0][0]) - part.optimism, self.lower), float(ends[1][0])
        return Estimate(part.value, low, high, rows.n, len(rows), f"{self.how}, {self._scale} interval, {spread.how}")

    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        why = self.flaw(rows, candidate, champion)
        if why:
            return Comparison.undefined(len(rows), why)
        new, old = self.of_rows(rows, candidate), self.of_rows(rows, champion)
        if new.why or old.why:
            return Comparison.undefined(len(rows), f"candidate: {new.why}" if new.why else f"champion: {old.why}")
        merits, slopes = self.merit(np.array([new.value, old.value]))
        share = no_rounding(slopes[0] * new.share - slopes[1] * old.share, new.size + old.size)
        spread = self.spread(rows, share)
        trials = int(min(new.trials, old.trials, len(rows)))
        return compared(_gap(merits), spread, len(rows), f"paired, {self.how}, {spread.how}", max(trials, 1))

    def from_cells(self, cells: Cells) -> list[Estimate]:
        with np.errstate(all="ignore"):
            part = self.of_cells(cells)
            spreads = self._spreads(cells, part.share, part.size, independent(part.variance, part.df))
            low, high = self.interval(part.value, spreads.half_width, part.trials)
            low = np.maximum(low - part.optimism, self.lower)
        n, labelled = cells.n.sum(axis=0).tolist(), cells.n_labelled.sum(axis=0).tolist()
        whys = _whys(cells, part, spreads)
        value, lows, highs, days = part.value.tolist(), low.tolist(), high.tolist(), spreads.days.tolist()
        how = {d: self._how(spreads.how(days.index(d))) for d in set(days)}
        return [
            Estimate.undefined(n[i], labelled[i], why)
            if (why := whys[i])
            else Estimate(value[i], lows[i], highs[i], n[i], labelled[i], how[days[i]])
            for i in range(len(cells))
        ]

    def compare_cells(self, candidate: Cells, champion: Cells, pair: Cells | None) -> list[Comparison]:
        if candidate.slices != champion.slices or not np.array_equal(candidate.day, champion.day):
            raise ValueError("cells of candidate and champion must be of the same slices and days")
        with np.errstate(all="ignore"):
            new, old = self.of_cells(candidate), self.of_cells(champion)
            merits, slopes = self.merit(np.stack([new.value, old.value]))
            share, size = slopes[0] * new.share - slopes[1] * old.share, new.size + old.size
            variance = self.paired_variance(new, old, (candidate, champion), pair)
            spreads = self._spreads(candidate, share, size, independent(variance, new.df))
            n = candidate.n_labelled.sum(axis=0)
            trials = np.minimum(np.minimum(new.trials, old.trials), n)
            gain = np.where(np.abs(merits[0] - merits[1]) <= 1e-12 * np.abs(merits).max(0), 0.0, merits[0] - merits[1])
            found = compared_all(gain, spreads, n, trials, f"paired {self.how}, {self.how_cells}")
        whys = _paired_whys(candidate, champion, _whys(candidate, new, spreads), old.why)
        return [Comparison.undefined(int(n[i]), why) if (why := whys[i]) else c for i, c in enumerate(found)]

    def _spreads(self, cells: Cells, share: Floats, size: Floats, rows: Spreads) -> Spreads:
        return widest(rows, by_day(no_rounding(share, size), cells.n_labelled > 0))

    @property
    def _scale(self) -> str:
        return "95% logit" if self.logit else "95% t"

    def _how(self, spread: str) -> str:
        return f"{self.how}, {self.how_cells}, {self._scale} interval, {spread}"


def says(mask: Floats | np.ndarray[tuple[int, ...], np.dtype[np.bool_]], why: str, whys: Sequence[str | None]) -> Whys:
    """`whys` with `why` where `mask` (S,) holds and there is no reason yet."""
    if not mask.any():
        return list(whys)
    return [old or (why if hit else None) for hit, old in zip(mask.tolist(), whys, strict=True)]


def mean_weight(cells: Cells) -> Floats:
    """(S,) sum w^2 / sum w: what one independent row weighs; the plain mean weight where squares are not kept."""
    total = cells.sums[ONE].sum(axis=0)
    squares = cells.products.get((ONE, ONE))
    if squares is None:
        return np.asarray(total / cells.n_labelled.sum(axis=0))
    return np.asarray(squares.sum(axis=0) / total)


def _gap(merits: Floats) -> float:
    gap = float(merits[0] - merits[1])
    return gap if abs(gap) > 1e-12 * float(np.abs(merits).max()) else 0.0


def _whys(cells: Cells, part: CellPart, spreads: Spreads) -> Whys:
    labelled = cells.n_labelled.sum(axis=0)
    unusable, none = ~np.isfinite(part.value), np.isnan(spreads.se)
    whys, days = list(part.why), (cells.n_labelled > 0).sum(axis=0)
    for i in np.flatnonzero(
        unusable | none | (labelled < MIN_LABELS)
    ).tolist():  # of the others there is nothing to say
        whys[i] = too_few(int(labelled[i])) or whys[i]
        if not whys[i] and unusable[i]:
            whys[i] = "a label or a score of a row is not usable"
        elif not whys[i] and none[i]:
            whys[i] = f"cells tell the spread only between days: {days[i]} days with labels, {MIN_DAYS} are needed"
    return whys


def _paired_whys(candidate: Cells, champion: Cells, new: Whys, old: Whys) -> Whys:
    other = (candidate.n_labelled != champion.n_labelled).any(axis=0)
    whys = says(other, "candidate and champion were not scored on the same rows", new)
    return [why or (f"champion: {o}" if o else None) for why, o in zip(whys, old, strict=True)]
