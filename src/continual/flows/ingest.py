"""Source -> Great Expectations -> log or quarantine. Three steps, each safe to repeat.

`validate` judges every new batch and stages the accepted rows; `append` writes the staged rows once; `publish` fails
when a batch of this run was refused, so that whatever depends on the log waits, while good batches are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.core.window import Window, utc
from continual.errors import BatchError, Skipped, StoreError
from continual.flows.champion import reconcile
from continual.flows.quarantine import set_aside
from continual.flows.staging import Staging
from continual.flows.validation import content_of, judge_batch
from continual.flows.workspace import Outcome, Workspace
from continual.sources.base import BatchRef

if TYPE_CHECKING:
    import pyarrow as pa

    from continual.sources.base import Stream
    from continual.stores.batches import Batch

STREAMS: tuple[Stream, ...] = ("predictions", "labels")
#: Called with (done, total, name) after every batch: long work shows progress.
Progress = Callable[[int, int, str], None]


def validate(ws: Workspace, window: Window, as_of: datetime, progress: Progress | None = None) -> Outcome:
    """Judge every batch of a day before the window's end that was not taken in yet; late ones too (s6).

    A refused batch is judged again by the run that refused it and by runs about its day, so that one bad file fails
    one run and not every later one.

    Raises
    ------
    Skipped: nothing new was delivered, and this run has not taken anything in before it was cleared. BatchError: a
    delivered file whose day cannot be known.
    """
    as_of = utc(as_of)
    settled = reconcile(ws, as_of)
    new = [ref for stream in STREAMS for ref in _new_batches(ws, stream, window, as_of)]
    waiting = _still_refused(ws, new)
    if not new and not any(b.as_of == as_of for b in ws.batches.batches(state="appended")):
        got = f"no new batch until {window.end:%Y-%m-%d %H:%M}{waiting}."
        raise Skipped("There must be something new to ingest.", got, "nothing.")
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
    counted = f"{len(accepted)} batches passed, {len(refused)} refused{waiting}"
    reason = "; ".join([counted, settled, *refused[:3]])
    data = {"accepted": accepted, "refused": refused, "window": window.as_dict(), "as_of": as_of.isoformat()}
    return Outcome(reason, data)


def _new_batches(ws: Workspace, stream: Stream, window: Window, as_of: datetime) -> list[BatchRef]:
    known = {batch.content_hash: batch for batch in ws.batches.batches(stream=stream)}
    refs = ws.policy.source.batches(stream, window.end, ws.settings.home)
    return [ref for ref in refs if _due(ref, known.get(content_of(ref)), window, as_of)]


def _due(ref: BatchRef, known: Batch | None, window: Window, as_of: datetime) -> bool:
    if known is None or known.state == "superseded":
        return True
    if known.state == "appended":
        return False
    start = datetime(ref.date.year, ref.date.month, ref.date.day, tzinfo=UTC)
    return known.as_of == as_of or window.overlaps(Window(start, start + timedelta(days=1)))


def _still_refused(ws: Workspace, new: Sequence[BatchRef]) -> str:
    """A reminder of batches that wait for a correction and are not judged in this run."""
    judged = {content_of(ref) for ref in new}
    names = [b.name for b in ws.batches.batches(state="quarantined") if b.content_hash not in judged]
    return f"; {len(names)} refused before still wait for a correction: {', '.join(names[:3])}" if names else ""


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
    """Commit, then record, then drop the staged files: killed anywhere, the same call finishes it. A commit that is
    not recorded is found by its id, and rows of predictions by their keys besides; recording is all or nothing."""
    staging = Staging(ws.settings.home, ws.app)
    counts = {"rows": 0, "identical": 0, "conflicts": 0}
    staged = _staged(ws, stream, batches, staging)
    if staged:
        ids = [b["id"] for b in staged]
        rows, commit = staging.read(stream, ids), digest(ids)[:32]
        write = _append_labels if stream == "labels" else _append_predictions
        counts = write(ws, rows, commit, as_of)
        ws.batches.record_all([_appended(ws, stream, b, staging, as_of) for b in staged])
    for batch in batches:
        staging.drop(stream, batch["id"])
    return counts


def _staged(ws: Workspace, stream: Stream, batches: Sequence[dict[str, str]], staging: Staging) -> list[dict[str, str]]:
    """The batches that are not recorded yet, in the order of their ids.

    Raises
    ------
    StoreError: the staged rows of one are gone.
    """
    done = {batch.content_hash for batch in ws.batches.batches(stream=stream, state="appended")}
    waiting = sorted((b for b in batches if b["content"] not in done), key=lambda b: b["id"])
    gone = [b["name"] for b in waiting if not staging.has(stream, b["id"])]
    if gone:
        raise StoreError(
            f"Accepted {stream} must be staged in {staging.folder}.",
            f"no rows of {', '.join(gone[:5])}.",
            "clear the validate task; if it runs on another machine, let both share the home.",
        )
    return waiting


def _append_labels(ws: Workspace, rows: pa.Table, commit: str, as_of: datetime) -> dict[str, int]:
    """A label given twice is one label and a corrected one a new row: nothing to compare with."""
    if rows.num_rows:
        ws.log.append_labels(rows, commit)
    return {"rows": rows.num_rows, "identical": 0, "conflicts": 0}


def _append_predictions(ws: Workspace, rows: pa.Table, commit: str, as_of: datetime) -> dict[str, int]:
    new, identical, conflicts = ws.log.split_new(rows)
    if new.num_rows:
        ws.log.append_predictions(new, commit)
    for batch, contradicting in conflicts.to_pandas().groupby("batch_id"):
        why = dict.fromkeys(range(len(contradicting)), "same record key, other content than the logged row")
        set_aside(ws, str(batch), "predictions", contradicting, why, as_of)
    return {"rows": new.num_rows, "identical": identical, "conflicts": conflicts.num_rows}


def _appended(ws: Workspace, stream: Stream, batch: dict[str, str], staging: Staging, as_of: datetime) -> Batch:
    from continual.stores.batches import Batch

    rows = staging.read(stream, [batch["id"]]).num_rows
    aside = sum(item.n_rows for item in ws.batches.items(batch_id=batch["id"]))
    return Batch(stream, batch["name"], batch["content"], "appended", rows, aside, as_of)
