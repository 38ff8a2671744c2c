"""Source -> Great Expectations -> log or quarantine. Three steps, each safe to repeat.

`validate` judges every new batch and stages the accepted rows; `append` writes the staged rows once; `publish` fails
when a batch of this run was refused, so that whatever depends on the log waits, while good batches are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.core.window import Window, utc
from continual.errors import BatchError, Skipped
from continual.flows.champion import reconcile
from continual.flows.quarantine import set_aside
from continual.flows.staging import Staging
from continual.flows.validation import content_of, judge_batch
from continual.flows.workspace import Outcome, Workspace
from continual.sources.base import BatchRef

if TYPE_CHECKING:
    import pyarrow as pa

    from continual.sources.base import Stream

STREAMS: tuple[Stream, ...] = ("predictions", "labels")
#: Called with (done, total, name) after every batch: long work shows progress.
Progress = Callable[[int, int, str], None]


def validate(ws: Workspace, window: Window, as_of: datetime, progress: Progress | None = None) -> Outcome:
    """Judge every batch of a day before the window's end that was not taken in yet; late ones too (s6).

    Raises
    ------
    Skipped: nothing new was delivered. BatchError: a delivered file whose day cannot be known.
    """
    as_of = utc(as_of)
    settled = reconcile(ws, as_of)
    new = [ref for stream in STREAMS for ref in _new_batches(ws, stream, window)]
    if not new:
        raise Skipped("There must be something new to ingest.", f"no new batch until {window.end}.", "nothing.")
    accepted: list[dict[str, str]] = []
    refused: list[str] = []
    for done, ref in enumerate(new, start=1):
        batch, problem = judge_batch(ws, ref, as_of)
        if problem is None:
            accepted.append({"id": batch, "stream": ref.stream, "name": ref.name, "content": content_of(ref)})
        else:
            refused.append(f"{ref.stream} {ref.name}: {problem}")
        if progress:
            progress(done, len(new), f"{ref.stream} {ref.name}")
    reason = f"{len(accepted)} batches passed, {len(refused)} refused; {settled}" + "".join(f"; {r}" for r in refused[:3])
    data = {"accepted": accepted, "refused": refused, "window": window.as_dict(), "as_of": as_of.isoformat()}
    return Outcome(reason, data)


def _new_batches(ws: Workspace, stream: Stream, window: Window) -> list[BatchRef]:
    seen = {b.content_hash for b in ws.batches.batches(stream=stream, state="appended")}
    refs = ws.policy.source.batches(stream, window.end, ws.settings.home)
    return [ref for ref in refs if content_of(ref) not in seen]


def append(ws: Workspace, accepted: Sequence[dict[str, str]], as_of: datetime) -> Outcome:
    """Write the staged rows of these batches, each stream in one atomic snapshot, exactly once."""
    counts = {s: _append_stream(ws, s, [b for b in accepted if b["stream"] == s], utc(as_of)) for s in STREAMS}
    shown = "; ".join(
        f"{c['rows']:,} {s}"
        + (f", {c['identical']:,} known already" if c["identical"] else "")
        + (f", {c['conflicts']:,} contradict logged rows: quarantined" if c["conflicts"] else "")
        for s, c in counts.items()
    )
    return Outcome(f"appended {shown}", {"rows": {s: c["rows"] for s, c in counts.items()}})


def publish(ws: Workspace, refused: Sequence[str], data: dict[str, Any]) -> Outcome:
    """Say that the log grew, unless a batch of this run was refused (s2).

    Raises
    ------
    BatchError: names every refused batch and what to do.
    """
    if refused:
        raise BatchError(
            "Every batch of a window must pass before anything depends on it.",
            " | ".join(refused),
            "deliver a corrected file under the same name and clear this run; its rows are in the quarantine.",
        )
    return Outcome(f"the log of {ws.app} grew; what depends on it may run", data)


def _append_stream(ws: Workspace, stream: Stream, batches: Sequence[dict[str, str]], as_of: datetime) -> dict[str, int]:
    staging = Staging(ws.settings.home, ws.app)
    staged = sorted((b for b in batches if staging.has(stream, b["id"])), key=lambda b: b["id"])
    if not staged:
        return {"rows": 0, "identical": 0, "conflicts": 0}
    ids = [b["id"] for b in staged]
    rows, commit = staging.read(stream, ids), digest(ids)[:32]
    counts = _append_labels(ws, rows, commit) if stream == "labels" else _append_predictions(ws, rows, commit, as_of)
    for batch in staged:
        _mark_appended(ws, stream, batch, staging, as_of)
    return counts


def _append_labels(ws: Workspace, rows: pa.Table, commit: str) -> dict[str, int]:
    """A label given twice is one label and a corrected one a new row: nothing to compare with."""
    if rows.num_rows:
        ws.log.append_labels(rows, commit)
    return {"rows": rows.num_rows, "identical": 0, "conflicts": 0}


def _append_predictions(ws: Workspace, rows: pa.Table, commit: str, as_of: datetime) -> dict[str, int]:
    new, identical, conflicts = ws.log.split_new(rows)
    if new.num_rows:
        ws.log.append_predictions(new, commit)
    if conflicts.num_rows:
        why = dict.fromkeys(range(conflicts.num_rows), "same record key, other content than the logged row")
        set_aside(ws, commit, "predictions", conflicts.to_pandas(), why, as_of)
    return {"rows": new.num_rows, "identical": identical, "conflicts": conflicts.num_rows}


def _mark_appended(ws: Workspace, stream: Stream, batch: dict[str, str], staging: Staging, as_of: datetime) -> None:
    from continual.stores.batches import Batch

    rows = staging.read(stream, [batch["id"]]).num_rows
    ws.batches.record(Batch(stream, batch["name"], batch["content"], "appended", rows, 0, as_of))
    staging.drop(stream, batch["id"])
