"""From what a person or a diagnosis names (days, an expression, a slice, files) to the rows that are meant."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from continual.core import expression
from continual.core.slices import resolve
from continual.core.window import Window
from continual.core.withdrawal import Scope
from continual.errors import ContinualError
from continual.flows.logged import computed, prediction_rows
from continual.flows.workspace import Workspace
from continual.stores.batches import batch_id

if TYPE_CHECKING:
    from continual.stores.batches import Batch

#: Columns of labels that an expression may name.
LABEL_COLUMNS = ("record_key", "value", "source")


@dataclass(frozen=True)
class Rows:
    """Which rows are meant. stream: predictions or labels. window: of event time (labels: of when they were known).
    where: expression over logged columns. slice_name: of the policy, instead of `where`. files: names or batch ids of
    delivered files. At least a window or a file."""

    stream: str = "predictions"
    window: Window | None = None
    where: str | None = None
    slice_name: str | None = None
    files: tuple[str, ...] = ()


def scope_of(ws: Workspace, rows: Rows, as_of: datetime) -> Scope:
    """
    Raises
    ------
    ContinualError: neither window nor file, no such file or slice. SliceError: the expression cannot be read.
    """
    if rows.window is None and not rows.files:
        raise ContinualError(
            "A withdrawal must name days or files.", "neither.", "add --window 2013-07-01..2013-07-29 or --file NAME."
        )
    batches = tuple(sorted({batch for name in rows.files for batch in _batches(ws, rows.stream, name)})) or None
    window = rows.window or everything(ws)
    predicate = _predicate(ws, rows, window, as_of)
    used = computed(ws.policy, expression.columns(predicate)) if predicate and rows.stream == "predictions" else {}
    projections = {name: projection.root for name, projection in used.items()}
    return Scope(rows.stream, window, predicate, projections, batches)


def everything(ws: Workspace) -> Window:
    """All event times the application knows."""
    return Window(ws.policy.active.start, datetime(9999, 12, 31, tzinfo=UTC))


def _predicate(ws: Workspace, rows: Rows, window: Window, as_of: datetime) -> str | None:
    if rows.where is not None and rows.slice_name is not None:
        raise ContinualError("Rows are named by an expression or by a slice.", "both.", "leave one of them out.")
    if rows.slice_name is not None:
        return _slice(ws, rows.slice_name, window, as_of)
    if rows.where is not None:
        expression.parse(rows.where)
        _check_columns(ws, rows)
    return rows.where


def _check_columns(ws: Workspace, rows: Rows) -> None:
    known = list(LABEL_COLUMNS) if rows.stream == "labels" else [*ws.policy.sliceable, "record_key", "model_version"]
    for name in expression.columns(rows.where or ""):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ContinualError(
                f"An expression over {rows.stream} must name their columns.",
                f"{name!r} in {rows.where!r}.",
                f"{hint}Known: {', '.join(known)}.",
            )


def _slice(ws: Workspace, name: str, window: Window, as_of: datetime) -> str:
    frame = prediction_rows(ws, window, as_of)
    known = {s.name: s.predicate for s in resolve(ws.policy.slices, frame)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ContinualError(
            "A slice must be one of the window's.", f"{name!r}.", f"{hint}Known: {', '.join(list(known)[:20])}."
        )
    return known[name]


def _batches(ws: Workspace, stream: str, name: str) -> list[str]:
    """Ids of the batches of this file name, path or beginning of an id, that were taken in."""
    known = ws.batches.batches(stream=stream, state="appended")
    ids = {batch_id(ws.app, b.stream, b.content_hash): b for b in known}
    found = [one for one, b in ids.items() if _is_named(b, one, name)]
    if found:
        return found
    near = difflib.get_close_matches(name, [b.name for b in known], n=3, cutoff=0.5)
    raise ContinualError(
        f"A file of {stream} must have been taken in to be withdrawn.",
        f"{name!r} is no name or id of one.",
        f"did you mean {', '.join(near)}?" if near else "look at the table `batch`, or name days with --window.",
    )


def _is_named(batch: Batch, identity: str, name: str) -> bool:
    return batch.name == name or batch.name.endswith(f"/{name}") or (len(name) >= 6 and identity.startswith(name))
