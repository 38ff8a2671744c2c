"""One slice and metric, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from continual.core.estimate import Estimate
from continual.core.verdict import OVERALL
from continual.errors import ContinualError
from continual.flows.day_rows import LIVE
from continual.flows.workspace import Workspace
from continual.ui.asked import Asked, Moment, NotFound
from continual.ui.charts import Chart, over_days
from continual.ui.stored import days, only, stored

if TYPE_CHECKING:
    from continual.core.cells import Cells
    from continual.metrics.base import Metric


@dataclass(frozen=True)
class History:
    """Every day of the window with its estimate, newest first, and the picture of them. whole: of the window."""

    moment: Moment
    slice: str
    metric: str
    version: str
    better: str
    whole: Estimate
    days: tuple[tuple[date, Estimate], ...]
    chart: Chart | None
    versions: tuple[str, ...]
    metrics: tuple[str, ...]
    slices: tuple[str, ...]


def history(ws: Workspace, asked: Asked, default_window: str = "90d") -> History:
    """
    Raises
    ------
    ContinualError: no such metric, version or slice in the window.
    """
    moment = asked.moment(ws, default_window)
    names = tuple(m.name for m in ws.policy.metrics)
    metric = next(m for m in ws.policy.metrics if m.name == asked.one_of("metric", (ws.policy.primary.name, *names)))
    version = asked.text("version", LIVE)
    name = asked.text("slice", OVERALL)
    found = stored(ws, version, moment.window, moment.as_of)
    if found is None:
        raise _no_cells(version, moment)
    if name not in found.slices:
        raise NotFound("A slice must have rows in the window.", f"{name!r} has none.", "choose one from the heat map.")
    one = only(found, name)
    each = tuple(zip(days(one), daily(one, metric), strict=True))
    better = "higher is better" if metric.higher_is_better else "lower is better"
    reigns = [r.version for r in ws.champions.read() if r.as_of <= moment.as_of]
    versions = tuple(dict.fromkeys([LIVE, version, *reversed(reigns)]))[:30]
    whole = metric.from_cells(one)[0]
    return History(
        moment, name, metric.name, version, better, whole, each[::-1], over_days(each), versions, names, found.slices
    )


def daily(one: Cells, metric: Metric) -> list[Estimate]:
    """The metric on each day of the cells of one slice."""
    return [metric.from_cells(one.of_day(position))[0] for position in range(len(one.day))]


def _no_cells(version: str, moment: Moment) -> ContinualError:
    return NotFound(
        "A version must have cells in the window.",
        f"{version!r} has none in {moment.window} as of {moment.as_of:%Y-%m-%d %H:%M}Z.",
        "choose other days, let the store DAG build them, or let the version answer them: "
        f"`continual score {version}`.",
    )


def window_before(moment: Moment) -> str:
    """The window of the same length just before, as text."""
    length = moment.window.end - moment.window.start
    return f"{moment.window.start - length:%Y-%m-%d}..{moment.window.start:%Y-%m-%d}"


def one_day(day: date) -> str:
    """A day as a window in text."""
    return f"{day}..{day + timedelta(days=1)}"
