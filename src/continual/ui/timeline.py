"""The live model over time, with what happened to it: promotions, rollbacks, alarms, data faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from continual.core.estimate import Estimate
from continual.core.verdict import OVERALL
from continual.errors import NotEnoughData
from continual.flows.day_rows import LIVE
from continual.flows.workspace import Workspace
from continual.stores.ledger_pages import LedgerPages, Wanted
from continual.ui.addresses import link
from continual.ui.asked import Asked, Moment
from continual.ui.charts import Chart, Mark, over_days
from continual.ui.history import daily
from continual.ui.stored import days, only, stored

if TYPE_CHECKING:
    from continual.stores.champions import Reign
    from continual.stores.ledger_pages import Line

#: Events of a page.
MOST = 200
KINDS = {"alarm": "alarm", "diagnosis": "fault", "verdict": "verdict"}


@dataclass(frozen=True)
class Reigned:
    """A champion and the days of the window it served."""

    reign: Reign
    until: Reign | None


@dataclass(frozen=True)
class Timeline:
    """chart: None when no day has a value. events: newest first."""

    moment: Moment
    metric: str
    metrics: tuple[str, ...]
    better: str
    whole: Estimate | None
    chart: Chart | None
    days: tuple[tuple[date, Estimate], ...]
    events: tuple[Mark, ...]
    reigns: tuple[Reigned, ...]


def timeline(ws: Workspace, asked: Asked, base: str) -> Timeline:
    """base: path of the application's pages.

    Raises
    ------
    NotEnoughData: neither a cell nor an event in the window.
    """
    moment = asked.moment(ws, "90d")
    names = tuple(m.name for m in ws.policy.metrics)
    metric = next(m for m in ws.policy.metrics if m.name == asked.one_of("metric", (ws.policy.primary.name, *names)))
    cells = stored(ws, LIVE, moment.window, moment.as_of)
    one = only(cells, OVERALL) if cells is not None else None
    each = tuple(zip(days(one), daily(one, metric), strict=True)) if one is not None else ()
    reigns = [r for r in ws.champions.read() if r.as_of <= moment.as_of]
    events = sorted(_events(ws, moment, reigns, base), key=lambda m: m.day, reverse=True)
    if not each and not events:
        raise NotEnoughData(
            "A timeline needs days with predictions.",
            f"none is measured in {moment.window}.",
            "choose other days, or let the monitor or store DAG run.",
        )
    chart = over_days(each, [e for e in events if e.kind != "verdict"]) if each else None
    better = "higher is better" if metric.higher_is_better else "lower is better"
    whole = metric.from_cells(one)[0] if one is not None else None
    rule = tuple(_reigned(moment, reigns))
    return Timeline(moment, metric.name, names, better, whole, chart, each[::-1], tuple(events), rule)


def _events(ws: Workspace, moment: Moment, reigns: list[Reign], base: str) -> Iterator[Mark]:
    """Of the window's days."""
    first, last = moment.window.start.date(), _end(moment).date()

    def inside(day: date) -> bool:
        return first <= day <= last

    pages = LedgerPages(ws.db, ws.app)
    moved = pages.keyed(r.decision_key for r in reigns if inside(r.as_of.date()))
    for reign in reigns:
        line = moved.get(reign.decision_key)
        if line is not None:
            yield Mark(reign.as_of.date(), _moved(reign), line.reason, link(f"{base}/ledger/{line.seq}"))
    wanted = Wanted(tuple(KINDS), since=moment.window.start, until=moment.as_of)
    yield from _said(pages.page(wanted, MOST), base, inside)


def _end(moment: Moment) -> datetime:
    """Of what happened. The last 90 matured days are told up to now: today's rollback comes before its days' labels."""
    return moment.window.end if ".." in moment.text else max(moment.window.end, moment.as_of)


def _moved(reign: Reign) -> str:
    return "rollback" if reign.kind == "rollback" else "promotion"


def _said(lines: list[Line], base: str, inside: Callable[[date], bool]) -> Iterator[Mark]:
    for line in lines:
        if not inside(line.as_of.date()):
            continue
        if line.kind == "diagnosis" and not line.reason.startswith("data"):
            continue
        href = link(f"{base}/verdict", seq=line.seq) if line.kind == "verdict" else f"{base}/ledger/{line.seq}"
        yield Mark(line.as_of.date(), KINDS[line.kind], line.reason, href)


def _reigned(moment: Moment, reigns: list[Reign]) -> Iterator[Reigned]:
    for reign, until in zip(reigns, [*reigns[1:], None], strict=True):
        if reign.as_of <= _end(moment) and (until is None or until.as_of > moment.window.start):
            yield Reigned(reign, until)
