"""What every distance can do: say how far a column's distribution is from its reference, and how far by chance."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from continual.core.family import Family, Strategy
from continual.core.histogram import Distribution, aligned
from continual.core.stats.clustered import MIN_DAYS
from continual.core.stats.tails import quantile

Floats = npt.NDArray[np.float64]
DISTANCES = Family("distance", "continual.distances")

#: Random draws behind an interval, and their seed: the same histograms give the same numbers.
DRAWS, SEED = 400, 20_130_101


@dataclass(frozen=True)
class Drift:
    """How far two distributions are apart: an effect size >= 0, never a p-value.

    value, low, high: the distance and its 95% interval in the distance's unit, all None when undefined. expected: what
    chance alone gives typically at these sizes when nothing has changed; a value near it is no drift. n_reference,
    n_current: rows, missing ones included. method: how it was computed, or 'undefined' with the reason.
    """

    value: float | None
    low: float | None
    high: float | None
    expected: float | None
    n_reference: int
    n_current: int
    method: str

    @property
    def defined(self) -> bool:
        return self.value is not None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Side:
    """One distribution as a distance looks at it. counts, square: (D, K) by day and class, K common to both sides.
    at: (K,) numeric: mean value of the rows in each class, in the column's unit."""

    counts: Floats
    square: Floats
    at: Floats | None = None

    @property
    def share(self) -> Floats:
        """(K,) shares, summing to 1."""
        return np.asarray(self.counts.sum(axis=0) / self.counts.sum())

    @property
    def effective(self) -> float:
        """Rows of equal weight that are worth as much (Kish 1965)."""
        return float(self.counts.sum() ** 2 / self.square.sum())

    def noise(self, random: np.random.Generator, by_day: bool) -> Floats:
        """(DRAWS, K) deviations of the shares that chance would give: Gaussian multipliers of each day's, or of each
        row's, linear contribution (Chernozhukov, Chetverikov & Kato 2013, Annals of Statistics 41:2786)."""
        weight = self.counts.sum()
        if not by_day:
            drawn = random.standard_normal((DRAWS, self.counts.shape[1])) * np.sqrt(self.square.sum(axis=0)) / weight
            return np.asarray(drawn - drawn.sum(axis=1, keepdims=True) * self.share)
        days = len(self.counts)
        part = (self.counts - self.counts.sum(axis=1, keepdims=True) * self.share) / weight
        return np.asarray(random.standard_normal((DRAWS, days)) * np.sqrt(days / (days - 1)) @ part)


class Distance(Strategy):
    """Distance of two distributions of one column; missing values are left to the kind `missing_rate`.

    A kind gives `size`, a norm of the difference of the two sides' shares. By the triangle inequality the distance is
    off by at most the norm of the noise, so that value -+ its 95% quantile covers the truth at least as often, also
    where nothing has changed; its mean is `expected`. Noise: of independent rows, or between days where that is larger
    and both sides have at least five.
    """

    family: ClassVar[Family] = DISTANCES
    #: Whether it needs an order of the values, so that categorical columns have none.
    ordered: ClassVar[bool] = False
    #: The distance is `size` to this power.
    power: ClassVar[int] = 1

    @abstractmethod
    def size(self, reference: Side, current: Side, x: Floats, y: Floats) -> Floats:
        """(R,) norms of x - y, both (R, K): shares of the two sides, or deviations of them."""

    def view(self, side: Distribution) -> Side:
        """The classes that are compared: the bins or values that are present."""
        return Side(side.counts[:, :-1], side.square[:, :-1], _center(side))

    def smoothing(self, side: Side) -> float:
        """Rows added to each class before shares are taken."""
        return 0.0

    def between(self, reference: Distribution, current: Distribution) -> Drift:
        """How far `current` is from `reference`; numeric ones must be counted over the same edges.

        Raises
        ------
        ValueError: different edges.
        """
        n = (reference.n, current.n)
        why = self._flaw(reference, current)
        if why:
            return Drift(None, None, None, None, *n, f"undefined: {why}")
        left, right = (self.view(side) for side in aligned(reference, current))
        for name, side in (("reference", left), ("current", right)):
            if not side.counts.sum() > 0:
                what = "value" if len(side.counts) and n[name == "current"] else "row"
                return Drift(None, None, None, None, *n, f"undefined: the {name} side has no {what}")
        return self._measure(left, right, n)

    def _flaw(self, reference: Distribution, current: Distribution) -> str | None:
        if reference.numeric != current.numeric:
            names = ["numeric" if side.numeric else "categorical" for side in (reference, current)]
            return f"the reference is {names[0]} and the current side {names[1]}"
        if self.ordered and not reference.numeric:
            return f"{self.kind} needs an order, which values of a categorical column do not have"
        return None

    def _measure(self, left: Side, right: Side, n: tuple[int, int]) -> Drift:
        shares, scale = zip(*(self._smooth(side) for side in (left, right)), strict=True)
        size = float(self.size(left, right, shares[0][None], shares[1][None])[0])
        noise, days = self._noise(left, right, scale)
        # a spread known from few days has heavier tails
        few = quantile(0.975, days - 1) / quantile(0.975, None) if days else 1.0
        half = few * float(np.quantile(noise, 0.95))
        low, value, high = (max(x, 0.0) ** self.power for x in (size - half, size, size + half))
        how = f"clustered by {len(left.counts)} and {len(right.counts)} days" if days else "independent rows"
        expected = float(np.mean(noise**self.power))
        return Drift(value, low, high, expected, *n, f"{self.kind}, 95% interval by the norm of the noise, {how}")

    def _smooth(self, side: Side) -> tuple[Floats, float]:
        """Shares after smoothing, and by how much that shrinks their noise."""
        added, rows = self.smoothing(side), side.effective
        total = rows + added * len(side.share)
        return (side.share * rows + added) / total, rows / total

    def _noise(self, left: Side, right: Side, scale: tuple[float, ...]) -> tuple[Floats, int]:
        """(DRAWS,) norms that chance gives, and the fewer days of both sides, 0 = independent rows."""
        days = min(len(left.counts), len(right.counts))
        rows = self._drawn(left, right, scale, by_day=False)
        if days < MIN_DAYS:
            return rows, 0
        clustered = self._drawn(left, right, scale, by_day=True)
        return (clustered, days) if clustered.mean() > rows.mean() else (rows, 0)

    def _drawn(self, left: Side, right: Side, scale: tuple[float, ...], by_day: bool) -> Floats:
        random = np.random.default_rng(SEED)
        x, y = (side.noise(random, by_day) * shrunk for side, shrunk in zip((left, right), scale, strict=True))
        return self.size(left, right, x, y)


def _center(side: Distribution) -> Floats | None:
    if side.total is None:
        return None
    weight, total = side.counts.sum(axis=0)[:-1], side.total.sum(axis=0)[:-1]
    return np.asarray(np.divide(total, weight, out=np.zeros(len(weight)), where=weight > 0))


def coarse(side: Distribution, bins: int) -> Side:
    """A numeric column in at most `bins` groups of neighbouring inner bins, and the two outer ones."""
    counts, square = side.counts[:, :-1], side.square[:, :-1]
    inner = counts.shape[1] - 2
    if not side.numeric or inner <= bins:
        return Side(counts, square)
    starts = np.concatenate([[0], 1 + np.arange(bins) * inner // bins, [inner + 1]])
    return Side(np.add.reduceat(counts, starts, axis=1), np.add.reduceat(square, starts, axis=1))
