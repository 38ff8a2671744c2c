"""Rows the monitor found faulty: withdrawn by itself where the policy says so, else named with the command for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from continual.core.verdict import OVERALL
from continual.core.window import Window
from continual.errors import Skipped
from continual.flows.withdraw import day_span, find, withdraw
from continual.flows.withdrawn_rows import Rows
from continual.flows.workspace import Outcome, Workspace

BY = "monitor"


def answer(ws: Workspace, watched: Outcome) -> Outcome:
    """`watched` with what was done about the rows that it asks to be set aside; data['withdrawn']: ids, when the policy
    withdraws by itself. Rows that are out of use already are nothing new: safe to repeat."""
    asked = [(request, rows) for request in watched.data.get("quarantine") or () for rows in rows_of(request)]
    if not asked:
        return watched
    if ws.policy.on_data_fault == "ask":
        commands = " && ".join(command(ws.app, rows, request) for request, rows in asked)
        return Outcome(f"{watched.reason}; to take them out of use: {commands}", watched.data)
    done = [found for request, rows in asked if (found := _withdraw(ws, rows, request)) is not None]
    said = "; ".join(outcome.reason for outcome in done) or "these rows are out of use already"
    withdrawn = [outcome.data["withdrawal"] for outcome in done]
    return Outcome(f"{watched.reason}; {said}", {**watched.data, "withdrawn": withdrawn})


def rows_of(request: Mapping[str, Any]) -> Iterator[Rows]:
    """A request names a slice on some days: one scope for each run of days."""
    predicate = None if request["slice"] == OVERALL else request["predicate"]
    for first, last in _runs(request["days"]):
        yield Rows(window=day_span(first, last), where=predicate)


def command(app: str, rows: Rows, request: Mapping[str, Any]) -> str:
    """What a person types to withdraw them."""
    words = ["continual", "data", "withdraw", app, "--window", _days(rows.window)]
    words += ["--where", rows.where] if rows.where else []
    return shlex.join([*words, "--reason", _reason(request)])


def _withdraw(ws: Workspace, rows: Rows, request: Mapping[str, Any]) -> Outcome | None:
    try:
        return withdraw(ws, find(ws, rows), _reason(request), BY)
    except Skipped:
        return None


def _reason(request: Mapping[str, Any]) -> str:
    return f"{', '.join(request['columns'])} jumped in {request['slice']}"


def _days(window: Window | None) -> str:
    return f"{window.start:%Y-%m-%d}..{window.end:%Y-%m-%d}" if window else ""


def _runs(days: Sequence[str]) -> Iterator[tuple[str, str]]:
    """First and last day of each run of days that follow each other."""
    wanted = sorted(map(date.fromisoformat, days))
    first = 0
    for i, day in enumerate(wanted):
        if i + 1 == len(wanted) or wanted[i + 1] - day > timedelta(days=1):
            yield wanted[first].isoformat(), day.isoformat()
            first = i + 1
