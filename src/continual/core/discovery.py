"""Weak slices: proposed on the earlier half of the days, confirmed on the later half.

What is seen on the earlier days (values, edges of bins, which conjunctions are worst) only proposes; the later days,
which it has not touched, decide, each proposal by a day-paired t test, Holm over all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.core import expression
from continual.core.canonical import digest
from continual.core.discovery_literals import Literals, literals
from continual.core.expression_codes import Columns
from continual.core.stats.discovery import Found, Paired, Search, paired_by_day
from continual.core.stats.holm import holm
from continual.errors import NotEnoughData, SliceError

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: Fewer days on one side can neither propose nor confirm.
MIN_DAYS = 5
#: Conjunctions that compete to be proposed.
POOL = 200


@dataclass(frozen=True)
class Terms:
    """What counts as weak. effect: smallest excess of the mean loss, in its unit; None = a tenth of its standard
    deviation. support: rows on the earlier days; None = 1% of them, at least 50. alpha: chance of any false
    confirmation."""

    effect: float | None = None
    support: int | None = None
    max_literals: int = 3
    proposals: int = 10
    bins: int = 5
    top: int = 20
    alpha: float = 0.05
    max_sets: int = 500


@dataclass(frozen=True)
class WeakSlice:
    """One proposal. predicate: legal `where`; effect, low, high: excess of its mean loss over other rows of the same
    days (held-out days, 95% interval); n, days: held-out; proposed_effect, proposed_n: on the earlier days, where it
    was chosen: too high. confirmed: p_adjusted <= alpha and effect >= the smallest that counts."""

    predicate: str
    effect: float
    low: float
    high: float
    p_adjusted: float
    confirmed: bool
    n: int
    days: int
    proposed_effect: float
    proposed_n: int

    @property
    def name(self) -> str:
        """Legal slice name, the same for the same predicate."""
        words = re.sub(r"\W+", "_", self.predicate.replace(" AND ", "_"), flags=re.ASCII).strip("_").lower()
        return f"weak_{words[:40].strip('_')}_{digest(self.predicate)[:6]}"

    @property
    def yaml(self) -> str:
        """Item for `slices:` of a policy."""
        return f"- name: {self.name}\n  where: {json.dumps(self.predicate, ensure_ascii=False)}\n"


def discover(
    frame: pd.DataFrame,
    loss: npt.ArrayLike,
    columns: Sequence[str],
    day: Days | None = None,
    terms: Terms | None = None,
    weight: Floats | None = None,
) -> list[WeakSlice]:
    """Conjunctions of values and bins whose rows have a worse loss than the others, most significant first.

    frame: (n, ...) with `columns` and, unless `day` is given, event_time. loss: (n,), higher = worse, NaN = unknown
    (no label): left out. day: (n,) UTC day numbers. weight: (n,) what a row stands for, 1 / its chance of a label where
    labels were chosen; None = all the same.

    Raises
    ------
    SliceError: a column is missing. NotEnoughData: labelled rows on fewer than 2 x MIN_DAYS days.
    """
    terms = terms or Terms()
    missing = [c for c in columns if c not in frame]
    if missing:
        raise SliceError("A slice column must be logged.", f"{missing[0]!r} is missing.", "leave it out or log it.")
    if day is None:
        day = frame["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    losses, day = np.asarray(loss, dtype=float), np.asarray(day, dtype=np.int64)
    known = np.isfinite(losses)
    frame, losses, day = frame.loc[known, list(columns)], losses[known], day[known]
    weights = np.ones(len(losses)) if weight is None else np.asarray(weight, dtype=float)[known]
    early = day < _cut(day)
    coded = Columns({c: frame[c] for c in columns}, len(frame))
    proposed = _propose(coded, list(columns), losses, weights, early, terms)
    return _confirm(frame[~early], losses[~early], weights[~early], day[~early], proposed, terms)


def _cut(day: Days) -> int:
    """First day of the later half; halves of days, not of rows."""
    days = np.unique(day)
    if len(days) < 2 * MIN_DAYS:
        raise NotEnoughData(
            f"Discovery needs labelled rows on at least {2 * MIN_DAYS} days.", f"{len(days)}.", "widen the window."
        )
    return int(days[len(days) // 2])


def _propose(
    columns: Columns, names: Sequence[str], loss: Floats, weight: Floats, early: Bools, terms: Terms
) -> list[tuple[str, Found]]:
    """Predicates with what the earlier days say about them."""
    support = terms.support or max(50, int(0.01 * early.sum()))
    effect = terms.effect if terms.effect is not None else 0.1 * _spread(loss[early], weight[early])
    made = [literals(columns, c, early, terms.bins, support, terms.top) for c in names]
    codes, sizes = [m.code[early] for m in made], [len(m.predicates) + 1 for m in made]
    search = Search(codes, sizes, loss[early], support, effect, weight[early])
    pool = search.run(terms.max_literals, POOL, terms.max_sets)
    chosen = ((_text(found, made), found) for found in _distinct(pool, search, support, effect))
    return list(islice(((text, found) for text, found in chosen if text is not None), terms.proposals))


def _spread(loss: Floats, weight: Floats) -> float:
    """Weighted standard deviation."""
    mean = np.average(loss, weights=weight)
    return float(np.sqrt(np.average((loss - mean) ** 2, weights=weight)))


def _text(found: Found, made: Sequence[Literals]) -> str | None:
    """The conjunction as a person would write it; None for values that do not fit a predicate of legal length."""
    text = " AND ".join(made[column].predicates[literal] for column, literal in found.terms)
    try:
        expression.parse(text)
    except SliceError:
        return None
    return text


def _distinct(pool: Sequence[Found], search: Search, support: int, effect: float) -> Iterator[Found]:
    """The best, then the best of what the rows already explained leave, and so on."""
    rows = [np.logical_and.reduce([search.codes[c] == i for c, i in found.terms]).nonzero()[0] for found in pool]
    left, open_ = np.ones(len(search.over), dtype=bool), set(range(len(pool)))
    while open_:
        scores = {}
        for i in sorted(open_):
            use = rows[i][left[rows[i]]]
            over = float(search.over[use].sum())
            if len(use) < support or over < effect * search.weight[use].sum():
                open_.discard(i)
            else:
                scores[i] = search.score(over / len(use), len(use), len(pool[i].terms))
        if scores:
            best = max(scores, key=lambda i: (scores[i], -i))
            yield pool[best]
            open_.discard(best)
            left[rows[best]] = False


def _confirm(
    frame: pd.DataFrame,
    loss: Floats,
    weight: Floats,
    day: Days,
    proposed: Sequence[tuple[str, Found]],
    terms: Terms,
) -> list[WeakSlice]:
    matcher = expression.Matcher({str(c): frame[c] for c in frame.columns}, len(frame))
    tested = [paired_by_day(loss, day, matcher.mask(text), weight) for text, _ in proposed]
    adjusted = holm([t.p if t and t.days >= MIN_DAYS else 1.0 for t in tested])
    least = terms.effect if terms.effect is not None else 0.0
    out = [
        _weak(text, found, test, p, terms.alpha, least)
        for (text, found), test, p in zip(proposed, tested, adjusted, strict=True)
        if test
    ]
    return sorted(out, key=lambda s: (s.p_adjusted, -s.effect, s.predicate))


def _weak(text: str, found: Found, test: Paired, p: float, alpha: float, least: float) -> WeakSlice:
    return WeakSlice(
        predicate=text,
        effect=test.effect,
        low=test.low,
        high=test.high,
        p_adjusted=p,
        confirmed=p <= alpha and test.effect >= least,
        n=test.n,
        days=test.days,
        proposed_effect=found.effect,
        proposed_n=found.n,
    )
