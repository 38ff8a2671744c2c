"""Every run of the monitor: cells of what came in, the live model's metrics over the policy's windows, and windows of
the past that late or corrected labels changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.verdict import OVERALL
from continual.core.window import Window, floor_day, utc
from continual.flows import cells
from continual.flows.champion import reconcile
from continual.flows.day_rows import LIVE
from continual.flows.estimate import estimate_open, score_estimates, settled
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import matured_until

if TYPE_CHECKING:
    from continual.stores.evaluations import Evaluation

PURPOSE = "monitor"


def measure(ws: Workspace, window: Window, as_of: datetime, progress: cells.Progress | None = None) -> Outcome:
    """Build what is out of date, evaluate the live model over `store.windows` and over the days that matured in
    `window`, and evaluate anew the past windows that late labels touched (append-only: the old numbers stay)."""
    as_of = utc(as_of)
    reconciled = reconcile(ws, as_of)
    built = cells.refresh(ws, _horizon(ws, as_of), as_of, progress)
    touched = [date.fromisoformat(day) for day in built.data["days"]]
    if ws.champions.current() is None:
        return Outcome(f"no champion yet; {reconciled}; {built.reason}", {})
    windows = list(dict.fromkeys([*_newly_matured(ws, window, as_of), *_reported(ws, as_of)]))
    late = [w for w in _known_windows(ws) if w not in windows and _touches(w, touched)]
    written = _evaluate(ws, [*windows, *late], as_of)
    open_now = estimate_open(ws, windows, as_of)
    scored = score_estimates(ws, as_of)
    told = "".join(f"; {o.reason}" for o in (open_now, scored) if any(o.data.values()))
    again = f"; {len(late)} past windows settled anew by late labels" if late else ""
    return Outcome(f"{_headline(ws, windows, as_of)}; {written:,} evaluations written{again}{told}; {built.reason}", {})


def _horizon(ws: Workspace, as_of: datetime) -> Window:
    """The days whose cells are kept up to date: those of the longest window, and the ones that have not matured."""
    longest = max(ws.policy.store.windows, default=timedelta(days=1))
    start = max(floor_day(ws.policy.active.start), floor_day(matured_until(ws.policy, as_of) - longest))
    return Window(start, max(floor_day(as_of), start) + timedelta(days=1))


def _newly_matured(ws: Workspace, window: Window, as_of: datetime) -> Iterator[Window]:
    start, end = matured_until(ws.policy, window.start), matured_until(ws.policy, as_of)
    if end > start:
        yield Window(start, end)


def _reported(ws: Workspace, as_of: datetime) -> Iterator[Window]:
    end, first = matured_until(ws.policy, as_of), floor_day(ws.policy.active.start)
    for length in ws.policy.store.windows:
        start = max(floor_day(end - length), first)
        if start < end:
            yield Window(start, end)


def _known_windows(ws: Workspace) -> list[Window]:
    return ws.evaluations.windows(PURPOSE, LIVE)


def _touches(window: Window, days: Iterable[date]) -> bool:
    return any(window.start.date() <= day < window.end.date() for day in days)


def _evaluate(ws: Workspace, windows: Iterable[Window], as_of: datetime) -> int:
    """Evaluations that say something new; one whose value is on record already is not written again."""
    fresh = [item for window in windows for item in _evaluations(ws, window, as_of)]
    return ws.evaluations.write(ws.evaluations.changed(fresh))


def _evaluations(ws: Workspace, window: Window, as_of: datetime) -> Iterator[Evaluation]:
    from continual.stores.evaluations import Evaluation

    weighted = settled(ws, window, as_of)
    if weighted is not None:
        yield from weighted
        return
    found = cells.read(ws, [LIVE], window, as_of).get(LIVE)
    if found is None:
        return
    for metric in ws.policy.metrics:
        for name, estimate in zip(found.slices, metric.from_cells(found), strict=True):
            yield Evaluation(PURPOSE, window, as_of, LIVE, name, metric.name, estimate)


def _headline(ws: Workspace, windows: Iterable[Window], as_of: datetime) -> str:
    """Overall values of the shortest window."""
    shortest = min(windows, key=lambda w: w.days, default=None)
    if shortest is None:
        return "no day has matured yet"
    found = ws.evaluations.read(shortest, as_of, latest=True, purpose=PURPOSE, model_version=LIVE, slice=OVERALL)
    found = found[(found["window_start"] == shortest.start) & (found["window_end"] == shortest.end)]
    if found.empty:
        return f"no row in {shortest}"
    rows = {row["metric"]: row for row in found.to_dict("records")}
    said = [_shown(rows[metric.name]) for metric in ws.policy.metrics if metric.name in rows]
    return f"live in {shortest}: " + "; ".join(said)


def _shown(row: dict[Any, Any]) -> str:
    if math.isnan(row["value"]):
        return f"{row['metric']} {row['method']}"
    share = row["n_labelled"] / row["n"] if row["n"] else 0.0
    return f"{row['metric']} {row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}], {share:.0%} labelled"
