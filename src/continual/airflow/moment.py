"""Which window and which instant of knowledge a DAG run is about; never the wall clock of the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continual.core.window import Window, hull, utc


@dataclass(frozen=True)
class Moment:
    """window: None when the run has no interval (started by hand). extra: what the causing assets said, merged."""

    window: Window | None
    as_of: datetime
    extra: dict[str, Any]


def moment_of(context: Mapping[str, Any]) -> Moment:
    """From, in this order: the trigger form's `as_of`, the asset events that started the run, the data interval,
    the time the run was asked for.

    Several asset events in one run are one moment: the union of their windows, the latest instant.
    """
    events = _events(context)
    window = _window(context, events)
    stated = (context.get("params") or {}).get("as_of")
    extra: dict[str, Any] = {}
    for event in events:
        extra.update(event)
    if stated:
        return Moment(window, utc(str(stated)), extra)
    instants = [utc(str(e["as_of"])) for e in events if e.get("as_of")]
    if instants:
        return Moment(window, max(instants), extra)
    end = context.get("data_interval_end") or context["dag_run"].run_after
    return Moment(window, utc(end), extra)


def caught_up(context: Mapping[str, Any], moment: Moment, seen: datetime | None) -> Moment:
    """`moment` widened by what the inlets said since the run was started, unless an instant as late was `seen` already.

    Airflow keeps one wake-up per asset while a DAG is at its `max_active_runs`; events after the first of them start
    no run of their own and belong to none. A run that looks at what has come by now leaves no such event behind.
    """
    triggering = [event for group in (context.get("triggering_asset_events") or {}).values() for event in group]
    if not triggering:
        return moment
    since = max(event.timestamp for event in triggering).isoformat()
    inlets = context["inlet_events"]
    later = [dict(event.extra or {}) for inlet in inlets for event in inlets[inlet].after(since)]
    instants = [utc(str(extra["as_of"])) for extra in later if extra.get("as_of")]
    if not instants or (seen and max(instants) <= seen):
        return moment
    windows = [Window.from_dict(extra["window"]) for extra in later if extra.get("window")]
    return Moment(
        _union([*windows, *([moment.window] if moment.window else [])]), max([moment.as_of, *instants]), moment.extra
    )


def _union(windows: list[Window]) -> Window | None:
    return hull(windows) if windows else None


def _events(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Extras of all triggering asset events, oldest first."""
    triggering = context.get("triggering_asset_events") or {}
    events = [event for group in triggering.values() for event in group]
    return [dict(e.extra or {}) for e in sorted(events, key=lambda e: str(e.timestamp))]


def _window(context: Mapping[str, Any], events: list[dict[str, Any]]) -> Window | None:
    windows = [Window.from_dict(e["window"]) for e in events if e.get("window")]
    if windows:
        return _union(windows)
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    return Window(start, end) if start and end and end > start else None
