"""Policies side by side on identical rows: how good the composite live model was, when, where, and at what cost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.projection import with_projections
from continual.core.slices import masks, resolve
from continual.errors import NotEnoughData
from continual.flows.measure import rows_in
from continual.replay.history import History, micros
from continual.replay.outcome import Played, as_row

if TYPE_CHECKING:
    import pandas as pd

    from continual.core.estimate import Estimate
    from continual.policy.models import Policy

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
DAY = 86_400_000_000
#: Stretches of time the metric is shown for: a few dozen, none shorter than a day.
STRETCHES = 40
#: Edges of a model's age in days.
AGES = (0, 7, 14, 28, 56, 91, 182, 365, 730, 3650)
#: Rows below which a point of a curve is not drawn.
FEW = 50


@dataclass(frozen=True)
class Point:
    """A metric with its 95% interval on n labelled rows; None = undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, found: Estimate) -> Point:
        return cls(found.value, found.low, found.high, found.n_labelled)


@dataclass(frozen=True)
class Scored:
    """One policy in the comparison. overall: composite metric. regret: how much worse than the best in hindsight, with
    the 95% interval of the paired difference (0 for the best). over_time, slices, ages: the metric by stretch of
    time, slice and age of the model in days."""

    played: Played
    overall: Point
    regret: float | None
    regret_low: float | None
    regret_high: float | None
    over_time: tuple[Point, ...] = ()
    slices: dict[str, Point] = field(default_factory=dict)
    ages: tuple[Point, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Numbers for programs."""
        numbers = {k: v for k, v in asdict(self).items() if k != "played"}
        return {**as_row(self.played), "reigns": [asdict(r) for r in self.played.reigns], **numbers}


@dataclass(frozen=True)
class Comparison:
    """Policies on the rows that all of them answered. metric: name of the primary one. rows: compared; of: in the
    history. edges: of the stretches of time."""

    application: str
    metric: str
    higher_is_better: bool
    rows: int
    of: int
    start: datetime
    end: datetime
    edges: tuple[datetime, ...]
    best: str
    policies: tuple[Scored, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        names = ("application", "metric", "higher_is_better", "rows", "of", "start", "end", "edges", "best")
        own = {name: getattr(self, name) for name in names}
        return {**own, "ages": AGES, "policies": [one.as_dict() for one in self.policies]}


def compare(
    history: History,
    policy: Policy,
    played: Sequence[Played],
    since: datetime | None = None,
    against: str | None = None,
) -> Comparison:
    """On the rows that every policy answered and whose label came at last; slices and metric are those of `policy`.
    since: only rows of then or later. against: regrets are against this policy, None = the best in hindsight.

    Raises
    ------
    NotEnoughData: there is no such row: a policy never had a champion.
    """
    use = _answered(history, played, since)
    table = _Table(history, policy, use)
    overall = {one.name: table.estimate(one, use) for one in played}
    best = _best(overall, policy.primary.higher_is_better)
    champion = next(one for one in played if one.name == (against or best))
    scored = tuple(_score(table, one, champion, overall[one.name]) for one in played)
    first, last = table.at(0), table.at(-1)
    return Comparison(
        application=policy.application,
        metric=policy.primary.name,
        higher_is_better=policy.primary.higher_is_better,
        rows=int(use.sum()),
        of=len(history),
        start=_instant(first),
        end=_instant(last + 1),
        edges=tuple(_instant(edge) for edge in table.edges),
        best=best,
        policies=tuple(sorted(scored, key=_order(policy.primary.higher_is_better))),
    )


def _answered(history: History, played: Sequence[Played], since: datetime | None) -> Bools:
    use = np.isfinite(history.final_label)
    for one in played:
        use &= one.served >= 0
    if since is not None:
        use &= history.event >= micros(since)
    if not use.any():
        idle = [one.name for one in played if not (one.served >= 0).any()]
        raise NotEnoughData(
            "Policies are compared on the rows that all of them answered.",
            f"no such row; never a champion: {', '.join(idle) or 'none, but at no time all at once'}.",
            "read the sandbox's ledger for the reasons, lower window.min_rows or the floor, or replay more history.",
        )
    return np.asarray(use)


class _Table:
    """The rows that are compared, and the groups they fall into."""

    def __init__(self, history: History, policy: Policy, use: Bools) -> None:
        self.event, self.use, self.primary = history.event, use, policy.primary
        frame = with_projections(history.rows, policy.projections).assign(label=history.final_label)
        self._frame: pd.DataFrame = frame
        self.slices = masks(resolve(policy.slices, frame[use]), frame) if policy.slices else {}
        first, last = self.at(0), self.at(-1)
        width = max(DAY, -(-(last - first + 1) // (STRETCHES * DAY)) * DAY)
        start = first // DAY * DAY
        self.edges = np.arange(start, last + width, width)

    def at(self, row: int) -> int:
        return int(self.event[np.flatnonzero(self.use)[row]])

    def estimate(self, played: Played, where: Bools) -> Estimate:
        """The primary metric of the composite model on these rows."""
        return self.primary.estimate(rows_in(self._frame, where, self.primary.needs), played.answers[where])

    def point(self, played: Played, where: Bools) -> Point:
        return Point.of(self.estimate(played, where))

    def difference(self, ours: Played, theirs: Played) -> tuple[float | None, float | None, float | None]:
        """`ours` minus `theirs` in the primary metric, positive = ours better, with its interval."""
        rows = rows_in(self._frame, self.use, self.primary.needs)
        found = self.primary.compare(rows, ours.answers[self.use], theirs.answers[self.use])
        return found.gain, found.low, found.high

    def inside(self, low: int, high: int) -> Bools:
        return np.asarray(self.use & (self.event >= low) & (self.event < high))


def _score(table: _Table, one: Played, best: Played, overall: Estimate) -> Scored:
    zero = (0.0, 0.0, 0.0)
    regret, low, high = zero if one.name == best.name else table.difference(best, one)
    pairs = list(zip(table.edges[:-1], table.edges[1:], strict=True))
    ages = one.ages(table.event)
    by_age = [table.use & (ages >= a) & (ages < b) for a, b in itertools.pairwise(AGES)]
    return Scored(
        played=one,
        overall=Point.of(overall),
        regret=regret,
        regret_low=low,
        regret_high=high,
        over_time=tuple(table.point(one, table.inside(int(a), int(b))) for a, b in pairs),
        slices={name: table.point(one, table.use & inside) for name, inside in table.slices.items()},
        ages=tuple(table.point(one, where) for where in by_age),
    )


def _best(overall: dict[str, Estimate], higher: bool) -> str:
    known = {name: found.value for name, found in overall.items() if found.value is not None}
    if not known:
        raise NotEnoughData(
            "The primary metric must be defined on the rows compared.", "it is not.", "replay more history."
        )
    return (max if higher else min)(known, key=lambda name: known[name])


def _order(higher: bool) -> Any:
    def key(one: Scored) -> tuple[bool, float]:
        value = one.overall.value
        return value is None, 0.0 if value is None else (-value if higher else value)

    return key


def _instant(micros: int | np.integer[Any]) -> datetime:
    return datetime.fromtimestamp(int(micros) / 1e6, UTC)
