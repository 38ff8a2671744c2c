"""Which window and which instant of knowledge a DAG run is about; never the wall clock of the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continual.core.window import Window, utc


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


def _events(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Extras of all triggering asset events, oldest first."""
    triggering = context.get("triggering_asset_events") or {}
    events = [event for group in triggering.values() for event in group]
    return [dict(e.extra or {}) for e in sorted(events, key=lambda e: str(e.timestamp))]


def _window(context: Mapping[str, Any], events: list[dict[str, Any]]) -> Window | None:
    windows = [Window.from_dict(e["window"]) for e in events if e.get("window")]
    if windows:
        return Window(min(w.start for w in windows), max(w.end for w in windows))
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    return Window(start, end) if start and end and end > start else None
