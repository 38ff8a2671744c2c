"""Finding and confirming slices whose mean loss is worse than that of the other rows.

Search: the conjunctions of SliceLine (Sagadeeva & Boehm 2021, "SliceLine: Fast, Linear-Algebra-based Slice Finding
for ML Model Debugging"), counted exhaustively per set of columns with `bincount`; a set of three columns whose pairs
bound it below what is already found (SliceLine's bound by support and loss) is not counted at all.
Confirmation: day by day the slice's mean against the mean of the other rows, delete-one-day jackknife, t quantile
with the effective number of days (Kish), so that shocks which a day's rows share neither confirm nor hide a slice.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.stats.tails import quantile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
#: A conjunction: (column index, literal index) pairs.
Terms = tuple[tuple[int, int], ...]
#: Candidates kept of one set of columns, so that one strong slice does not fill the list with its variants.
KEPT = 3


@dataclass(frozen=True)
class Found:
    """score: (mean - overall mean) sqrt(n) / sd of the loss, less what the best of as many conjunctions of that length
    reaches by chance; effect: mean - mean of all rows."""

    score: float
    terms: Terms
    n: int
    effect: float


@dataclass(frozen=True)
class Paired:
    """effect: mean loss of the slice minus that of other rows of the same days, with 95% interval; p: one-sided."""

    effect: float
    low: float
    high: float
    p: float
    n: int
    days: int


class Search:
    """Counts conjunctions over coded columns. codes: per column (n,) literal of each row, the last one = none of them;
    sizes: literals per column + 1; loss: (n,); weight: (n,), 1 / the chance of a label, None = all the same. over: what
    each row adds to the sum that is tested, its weighted excess; of all rows 0."""

    def __init__(
        self,
        codes: Sequence[Ints],
        sizes: Sequence[int],
        loss: Floats,
        support: int,
        effect: float,
        weight: Floats | None = None,
    ) -> None:
        self.codes, self.sizes, self.support = codes, sizes, support
        self.weight = np.ones(len(loss)) if weight is None else weight / weight.mean()
        self.mean = float(np.average(loss, weights=self.weight))
        self.effect = max(effect, 1e-12 * max(1.0, abs(self.mean)))  # rounding is no effect
        self.over = self.weight * (loss - self.mean)
        self.sd = float(self.over.std()) or 1.0
        self.most = float(self.over.max())
        self.bound: dict[tuple[int, ...], float] = {}
        self.chance: dict[int, float] = {}

    def run(self, max_terms: int, keep: int, max_sets: int) -> list[Found]:
        """The best `keep` conjunctions, best first. max_sets: column triples counted at most, most promising first."""
        best: list[Found] = []
        for size in range(1, max_terms + 1):
            sets = self._sets(size, max_sets)
            self.chance[size] = self._by_chance(sets)
            for columns in sets:
                worst = best[-1].score if len(best) == keep else -np.inf
                if self._limit(columns) - self.chance[size] > worst:
                    best = heapq.nlargest(keep, [*best, *self._count(columns)], key=lambda f: (f.score, f.terms))
        return best

    def score(self, over: Floats | float, n: npt.NDArray[np.integer[Any]] | int, size: int) -> Any:
        """See `Found`; over: its mean over the n rows; size: number of literals."""
        return over * np.sqrt(n) / self.sd - self.chance[size]

    def _by_chance(self, sets: Sequence[tuple[int, ...]]) -> float:
        """About the highest standard normal of as many as there are conjunctions with enough rows: sqrt(2 ln N)."""
        most = len(self.over) / self.support
        count = sum(min(most, float(np.prod([self.sizes[c] - 1.0 for c in columns]))) for columns in sets)
        return float(np.sqrt(2 * np.log(max(count, 1.0))))

    def _sets(self, size: int, max_sets: int) -> list[tuple[int, ...]]:
        sets = sorted(combinations(range(len(self.codes)), size), key=lambda c: (-self._limit(c), c))
        return sets if size < 3 else sets[:max_sets]

    def _limit(self, columns: tuple[int, ...]) -> float:
        """No conjunction over these columns can score more: each is part of one over every subset."""
        smaller = (self.bound.get(part, np.inf) for part in combinations(columns, len(columns) - 1))
        return min(smaller, default=np.inf)

    def _count(self, columns: tuple[int, ...]) -> list[Found]:
        joint, sizes = self.codes[columns[0]], [self.sizes[c] for c in columns]
        for column in columns[1:]:
            joint = joint * self.sizes[column] + self.codes[column]
        total = int(np.prod(sizes))
        n = np.bincount(joint, minlength=total)
        over = np.bincount(joint, self.over, minlength=total).astype(np.float64)
        cells = np.flatnonzero(n >= self.support)
        at = np.array(np.unravel_index(cells, sizes))
        named = (at < np.array(sizes)[:, None] - 1).all(axis=0)
        cells, at = cells[named], at[:, named]
        self.bound[columns] = self._best_part(n[cells], over[cells])
        effect = over[cells] / np.bincount(joint, self.weight, minlength=total)[cells]
        score = self.score(over[cells] / n[cells], n[cells], len(columns))
        order = [i for i in np.argsort(-score, kind="stable")[:KEPT] if effect[i] >= self.effect]
        return [
            Found(
                float(score[i]), tuple(zip(columns, at[:, i].tolist(), strict=True)), int(n[cells[i]]), float(effect[i])
            )
            for i in order
        ]

    def _best_part(self, n: Ints, over: Floats) -> float:
        """Highest score of any subset of at least `support` rows of a cell.

        m of its n rows hold at most min(m * most, over - (n - m) * least): none is worse than the worst row of all,
        none left out is better than the best. Divided by sqrt(m) that rises until the two meet, then falls.
        """
        if not len(n):
            return 0.0
        least = float(self.over.min())
        m = np.clip((over - n * least) / max(self.most - least, 1e-300), self.support, n)
        total = np.minimum(m * self.most, over - (n - m) * least)
        return float(np.max(total / np.sqrt(m))) / self.sd


def paired_by_day(
    loss: Floats, day: npt.NDArray[np.int64], inside: npt.NDArray[np.bool_], weight: Floats | None = None
) -> Paired | None:
    """The slice against the other rows of its days; None with rows of both on fewer than 3 days. weight: (n,), 1 / the
    chance of a label, None = all the same."""
    _, index = np.unique(day, return_inverse=True)
    k = int(index.max()) + 1 if len(index) else 0
    weight = np.ones(len(loss)) if weight is None else weight
    count_in, count = np.bincount(index[inside], minlength=k), np.bincount(index, minlength=k)
    both = (count_in > 0) & (count > count_in)
    parts = [(at, v) for at in (inside, ~inside) for v in (weight, weight * loss)]
    n, s_in, n_out, s_out = (np.bincount(index[at], v[at], minlength=k)[both] for at, v in parts)
    rest = s_out / n_out
    days = int(both.sum())
    if days < 3:
        return None
    above, rows = s_in - n * rest, n.sum()
    effect = float(above.sum() / rows)
    without = (above.sum() - above) / (rows - n)
    se = float(np.sqrt((days - 1) / days * np.sum((without - without.mean()) ** 2)))
    df = max(1.0, rows**2 / float(np.sum(n**2)) - 1)
    half = quantile(0.975, df) * se
    return Paired(effect, effect - half, effect + half, _upper_tail(effect, se, df), int(count_in[both].sum()), days)


def _upper_tail(effect: float, se: float, df: float) -> float:
    """P(t >= effect / se); no spread proves nothing."""
    from scipy.special import stdtr

    return float(stdtr(df, -effect / se)) if se > 1e-12 * max(1.0, abs(effect)) else 1.0
