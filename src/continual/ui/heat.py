"""The heat map: slices x metrics of champion, candidate and previous, where a colour needs evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from continual.core.estimate import Estimate
from continual.core.verdict import OVERALL
from continual.flows.workspace import Workspace
from continual.metrics.base import Metric
from continual.plots.style import number
from continual.ui.asked import Asked, Moment
from continual.ui.roles import Role, last_verdict, measured, named

if TYPE_CHECKING:
    from continual.stores.entry import Entry

#: Slices of a page.
PAGE = 100
STEPS = 4
SORTS = ("rows", "worst", "coverage", "name")
#: How a slice's verdict is read, worst first.
CLASSES = ("harm", "not_evaluable", "inconclusive", "proven")


@dataclass(frozen=True)
class Tile:
    """One cell. step: -4 (worst slice of the metric) .. 4 (best), 0 = like all rows; sign: whether its interval lies on
    one side of the value of all rows: better, worse, same, or undefined."""

    value: str
    interval: str
    step: int
    sign: str
    n: int
    n_labelled: int
    method: str


@dataclass(frozen=True)
class Head:
    """A column: a metric of a version."""

    role: str
    version: str
    metric: str
    priority: str
    better: str


@dataclass(frozen=True)
class SliceRow:
    """verdict: class of the slice in the last verdict, '' = not judged. coverage: of the first role, in [0, 1]."""

    slice: str
    n: int
    n_labelled: int
    coverage: float | None
    verdict: str
    tiles: tuple[Tile | None, ...]


@dataclass(frozen=True)
class HeatMap:
    """total: slices that match, of which the page shows some. judged: the last verdict."""

    moment: Moment
    roles: tuple[Role, ...]
    heads: tuple[Head, ...]
    rows: tuple[SliceRow, ...]
    total: int
    page: int
    metrics: tuple[str, ...]
    judged: Entry | None

    @property
    def pages(self) -> int:
        return max(1, ceil(self.total / PAGE))


def heat_map(ws: Workspace, asked: Asked) -> HeatMap:
    """The page that was asked for: window, as_of, metric, version (a role), q (part of the slice's name), sort, page.

    Raises
    ------
    ContinualError: something asked for does not exist.
    """
    moment = asked.moment(ws)
    every = tuple(metric.name for metric in ws.policy.metrics)
    metric = asked.one_of("metric", ("all", *every))
    role = asked.one_of("version", ("all", "champion", "candidate", "previous"))
    judged = last_verdict(ws, moment.as_of)
    versions = {r: v for r, v in named(ws, moment.as_of, judged).items() if role in ("all", r)}
    roles = measured(ws, versions, moment.window, moment.as_of)
    shown = [m for m in ws.policy.metrics if metric in ("all", m.name)]
    columns = [_Column(one, m) for one in roles for m in shown]
    classes = _classes(judged) if judged else {}
    names = _ordered(roles, columns, asked, {m.name: m for m in shown})
    page = min(max(asked.number("page") or 1, 1), max(1, ceil(len(names) / PAGE)))
    at = names[(page - 1) * PAGE : page * PAGE]
    rows = tuple(_row(name, roles, columns, classes) for name in at)
    heads = tuple(column.head for column in columns)
    return HeatMap(moment, tuple(roles), heads, rows, len(names), page, every, judged)


class _Column:
    """A metric of a role with its scale: where all rows stand, and how far the farthest slice is from there."""

    def __init__(self, role: Role, metric: Metric) -> None:
        self.role, self.metric, self.sign = role, metric, 1 if metric.higher_is_better else -1
        better = "higher is better" if metric.higher_is_better else "lower is better"
        self.head = Head(role.role, role.version, metric.name, metric.priority, better)
        whole = role.table.get((OVERALL, metric.name))
        self.middle = whole.value if whole else None
        values = [e.value for (_, name), e in role.table.items() if name == metric.name and e.value is not None]
        middle = self.middle
        self.span = max((abs(v - middle) for v in values), default=0.0) if middle is not None else 0.0

    def of(self, slice_name: str) -> Estimate | None:
        return self.role.table.get((slice_name, self.metric.name))

    def gain(self, slice_name: str) -> float | None:
        """How much better than all rows; None = undefined."""
        found = self.of(slice_name)
        if found is None or found.value is None or self.middle is None:
            return None
        return self.sign * (found.value - self.middle)

    def tile(self, slice_name: str) -> Tile | None:
        found = self.of(slice_name)
        if found is None:
            return None
        interval = "" if found.low is None else f"{number(found.low)} to {number(found.high)}"
        sign = self._sign(found)
        step = self._step(slice_name, sign)
        return Tile(number(found.value), interval, step, sign, found.n, found.n_labelled, found.method)

    def _sign(self, found: Estimate) -> str:
        if found.value is None:
            return "undefined"
        if self.middle is None or found.low is None or found.high is None:
            return "same"
        if found.low > self.middle:
            return "better" if self.sign > 0 else "worse"
        if found.high < self.middle:
            return "worse" if self.sign > 0 else "better"
        return "same"

    def _step(self, slice_name: str, sign: str) -> int:
        """Full colours only where the interval shows a difference; else a tint."""
        gain = self.gain(slice_name)
        if not gain or not self.span:
            return 0
        size = ceil(STEPS * abs(gain) / self.span)
        size = max(2, size) if sign in ("better", "worse") else 1
        return size if gain > 0 else -size


def _row(name: str, roles: list[Role], columns: list[_Column], classes: dict[str, str]) -> SliceRow:
    first = next((e for role in roles for m in columns if (e := role.table.get((name, m.metric.name)))), None)
    n, labelled = (first.n, first.n_labelled) if first else (0, 0)
    coverage = first.coverage if first else None
    return SliceRow(name, n, labelled, coverage, classes.get(name, ""), tuple(c.tile(name) for c in columns))


def _ordered(roles: list[Role], columns: list[_Column], asked: Asked, metrics: dict[str, Metric]) -> list[str]:
    """Names of all slices that match, overall first."""
    part, sort = asked.text("q").lower(), asked.one_of("sort", SORTS)
    names = list(dict.fromkeys(name for role in roles for name in role.slices))
    found = [name for name in names if part in name.lower()]
    counts: dict[str, tuple[int, float]] = {}
    for role in reversed(roles):
        counts |= {name: (e.n, e.coverage or 0.0) for (name, metric), e in role.table.items() if metric in metrics}
    decisive = next((c for c in columns if c.metric.priority == "primary"), columns[0] if columns else None)
    none = (0, 0.0)
    keys: dict[str, Callable[[str], tuple[float | str, ...]]] = {
        "rows": lambda name: (-counts.get(name, none)[0], name),
        "coverage": lambda name: (counts.get(name, none)[1], name),
        "name": lambda name: (name,),
        "worst": lambda name: (_worst(decisive, name), name),
    }
    return sorted(found, key=lambda name: (name != OVERALL, *keys[sort](name)))


def _worst(column: _Column | None, name: str) -> float:
    gain = column.gain(name) if column else None
    return float("inf") if gain is None else gain


def _classes(entry: Entry) -> dict[str, str]:
    """Slice -> the worst class among its metrics in a verdict."""
    found: dict[str, str] = {}
    for finding in entry.evidence["verdict"]["findings"]:
        now, before = str(finding["slice_class"]), found.get(finding["slice"])
        if before is None or _rank(now) < _rank(before):
            found[finding["slice"]] = now
    return found


def _rank(name: str) -> int:
    return CLASSES.index(name) if name in CLASSES else len(CLASSES)
