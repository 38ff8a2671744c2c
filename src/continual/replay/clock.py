"""The instants at which a deployment looks: the ends of the intervals of the policy's schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from continual.core.window import Window, utc

#: Airflow's own, which croniter does not know.
QUARTERLY = {"@quarterly": "0 0 1 */3 *"}


def looks(schedule: str, window: Window) -> list[Window]:
    """Intervals of the cron schedule inside the window, as Airflow's data intervals; each is looked at at its end."""
    from croniter import croniter  # type: ignore[import-untyped]

    cron = QUARTERLY.get(schedule, schedule)
    ticks = croniter(cron, window.start)
    edges = [window.start] if croniter.match(cron, window.start) else []
    while (at := utc(ticks.get_next(datetime))) <= window.end:
        edges.append(at)
    return [Window(a, b) for a, b in pairwise(edges)]


def ending_at(instants: Sequence[datetime], start: datetime) -> list[Window]:
    """The stretches that end at these instants, the first of which begins at `start`."""
    edges = [utc(start), *sorted({utc(at) for at in instants if utc(at) > utc(start)})]
    return [Window(a, b) for a, b in pairwise(edges)]
