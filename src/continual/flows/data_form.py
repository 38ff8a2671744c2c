"""What the form of the DAG `<application>.data` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from continual.errors import ContinualError
from continual.flows.withdraw import consequences, find, restore, withdraw
from continual.flows.withdrawn_rows import Rows
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import report_window


def act(ws: Workspace, form: Mapping[str, Any]) -> Outcome:
    """form: action (look, withdraw, restore), window, where, slice, files, stream, withdrawal, reason, by.

    Raises
    ------
    Skipped: no row that is in use is meant. ContinualError: a field is missing or cannot be read.
    """
    reason, by = _needed(form, "reason"), str(form.get("by") or ws.run)
    if form.get("action") == "restore":
        return restore(ws, _needed(form, "withdrawal"), reason, by)
    found = find(ws, rows_of(ws, form))
    if form.get("action") == "withdraw":
        return withdraw(ws, found, reason, by)
    said = f"nothing changed; would withdraw {found.n_rows:,} {found.scope.stream} ({found.scope})"
    return Outcome("; ".join([said, *consequences(ws.app, found)]), found.as_dict())


def rows_of(ws: Workspace, form: Mapping[str, Any]) -> Rows:
    """Which rows the form means; a window in words is two dates or a number of days."""
    from continual.flows.knowledge import newest

    window = report_window(ws.policy, newest(ws), str(form["window"])) if form.get("window") else None
    files = tuple(name.strip() for name in str(form.get("files") or "").split(",") if name.strip())
    stream = str(form.get("stream") or "predictions")
    return Rows(stream, window, form.get("where") or None, form.get("slice") or None, files)


def _needed(form: Mapping[str, Any], name: str) -> str:
    if not form.get(name):
        raise ContinualError(f"The form must say the {name}.", "nothing.", f"fill in {name!r} and start the run again.")
    return str(form[name])
