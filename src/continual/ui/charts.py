"""Charts as plain numbers for the templates, which draw them as SVG with words beside every mark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from continual.core.estimate import Estimate
from continual.plots.style import number

WIDTH, HEIGHT = 900.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 24.0, 30.0, 28.0


@dataclass(frozen=True)
class Tick:
    """at: pixel; text: its label."""

    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """A day's estimate at a place."""

    x: float
    y: float
    text: str
    day: date


@dataclass(frozen=True)
class Mark:
    """Something that happened on a day. kind: promotion, rollback, fault, alarm or verdict, each with its own sign."""

    day: date
    kind: str
    text: str
    href: str = ""


@dataclass(frozen=True)
class Placed:
    """A mark with its place; row: 0 on top, marks near each other go below."""

    x: float
    row: int
    mark: Mark


@dataclass(frozen=True)
class Chart:
    """One line over days. bands, lines: SVG point lists, one for each stretch without a gap."""

    lines: tuple[str, ...]
    bands: tuple[str, ...]
    points: tuple[Point, ...]
    xs: tuple[Tick, ...]
    ys: tuple[Tick, ...]
    marks: tuple[Placed, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def over_days(values: Sequence[tuple[date, Estimate]], marks: Iterable[Mark] = ()) -> Chart | None:
    """values: (day, estimate) in order; days without a value are gaps. None: nothing is defined."""
    known = [(day, e) for day, e in values if e.value is not None]
    if not known:
        return None
    happened = list(marks)
    first = min([values[0][0], *(m.day for m in happened)])
    last = max([values[-1][0], *(m.day for m in happened)])
    low, high = _range([e for _, e in known])
    scale = _Scale(first, max((last - first).days, 1), low, high)
    points = tuple(Point(scale.x(day), scale.y(e.value or 0.0), _words(e), day) for day, e in known)
    runs = list(_runs(known))
    lines = tuple(" ".join(scale.pair(day, e.value) for day, e in run) for run in runs)
    bands = tuple(b for run in runs if (b := _band(scale, run)))
    return Chart(lines, bands, points, _dates(scale, first, last), _values(scale), _place(scale, happened))


@dataclass(frozen=True)
class _Scale:
    first: date
    days: int
    low: float
    high: float

    def x(self, day: date) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (day - self.first).days / self.days, 1)

    def y(self, value: float) -> float:
        place = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * place, 1)

    def pair(self, day: date, value: float | None) -> str:
        return f"{self.x(day)},{self.y(value or 0.0)}"


def _range(known: Sequence[Estimate]) -> tuple[float, float]:
    """Holds every value and most of every interval: one day with few labels must not flatten the line."""
    values = [e.value for e in known if e.value is not None]
    low, high = min(values), max(values)
    reach = max(high - low, 1e-9)
    ends = [x for e in known for x in (e.low, e.high) if x is not None]
    low, high = max(min([low, *ends]), low - reach), min(max([high, *ends]), high + reach)
    pad = (high - low) * 0.06 or abs(high) * 0.05 or 0.5
    return low - pad, high + pad


def _runs(known: Sequence[tuple[date, Estimate]]) -> Iterable[list[tuple[date, Estimate]]]:
    run: list[tuple[date, Estimate]] = []
    for day, estimate in known:
        if run and day - run[-1][0] > timedelta(days=1):
            yield run
            run = []
        run.append((day, estimate))
    if run:
        yield run


def _band(scale: _Scale, run: Sequence[tuple[date, Estimate]]) -> str:
    inside = [(day, e) for day, e in run if e.low is not None and e.high is not None]
    over = [scale.pair(day, e.high) for day, e in inside]
    return " ".join([*over, *(scale.pair(day, e.low) for day, e in reversed(inside))])


def _words(found: Estimate) -> str:
    ends = "" if found.low is None else f" (95% {number(found.low)} to {number(found.high)})"
    return f"{number(found.value)}{ends}, {found.n_labelled:,} of {found.n:,} rows labelled"


def _dates(scale: _Scale, first: date, last: date) -> tuple[Tick, ...]:
    every = max(1, math.ceil((last - first).days / 7))
    steps = range(0, (last - first).days + 1, every)
    return tuple(Tick(scale.x(day), f"{day:%d %b}") for day in (first + timedelta(days=n) for n in steps))


def _values(scale: _Scale) -> tuple[Tick, ...]:
    step = _round_step((scale.high - scale.low) / 6)
    start = math.ceil(scale.low / step)
    digits = max(0, -math.floor(math.log10(step)))
    found = [n * step for n in range(start, math.floor(scale.high / step) + 1)]
    return tuple(Tick(scale.y(value), f"{value:.{digits}f}") for value in found)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= rough)


def _place(scale: _Scale, marks: Sequence[Mark]) -> tuple[Placed, ...]:
    placed: list[Placed] = []
    for mark in sorted(marks, key=lambda m: (m.day, m.kind)):
        x = scale.x(mark.day)
        taken = {p.row for p in placed if abs(p.x - x) < 16}
        placed.append(Placed(x, next(row for row in range(len(marks) + 1) if row not in taken), mark))
    return tuple(placed)


@dataclass(frozen=True)
class Forest:
    """A gain with its interval on a common axis, in percent of the width; zero, margin: where these lie."""

    low: float
    high: float
    at: float
    zero: float
    margin: float | None


def forest(
    rows: Sequence[tuple[float | None, float | None, float | None]], margin: float | None
) -> list[Forest | None]:
    """rows: (gain, low, high); one axis for all of them, cut where nine tenths of the intervals end."""
    ends = sorted(abs(x) for _, low, high in rows for x in (low, high) if x is not None)
    reach = max([ends[int(0.9 * (len(ends) - 1))] if ends else 0.0, 1.2 * (margin or 0.0)]) or 1.0

    def place(value: float) -> float:
        return round(50 + 50 * min(max(value / reach, -1.0), 1.0), 2)

    limit = None if margin is None else place(-margin)
    return [
        None if gain is None or low is None or high is None else Forest(place(low), place(high), place(gain), 50, limit)
        for gain, low, high in rows
    ]
