"""One delivered batch: accepted rows are staged, failing rows set aside, a refused batch kept whole in quarantine."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from continual.errors import BatchError
from continual.expectations.outcome import ValidationOutcome, combined
from continual.expectations.schema import check_labels, check_predictions, kinds_of
from continual.expectations.validation import validate
from continual.flows.data_docs import DataDocs
from continual.flows.kinds import Delivered, deliver
from continual.flows.log_rows import log_table
from continual.flows.quarantine import set_aside, stored_rows
from continual.flows.staging import Staging
from continual.flows.workspace import Workspace
from continual.policy.models import Policy
from continual.sources.base import BatchRef

if TYPE_CHECKING:
    import pandas as pd

    from continual.sources.base import Stream


def content_of(ref: BatchRef) -> str:
    """Identity of a delivered batch; an unreadable one is identified by its name."""
    return ref.content_hash or f"unreadable:{ref.name}"


def judge_batch(ws: Workspace, ref: BatchRef, as_of: datetime) -> tuple[str, str | None]:
    """(batch id, None) when accepted and staged, (batch id, sentence) when refused and quarantined. Idempotent."""
    from continual.stores.batches import batch_id

    batch = batch_id(ws.app, ref.stream, content_of(ref))
    try:
        given = deliver(ws.policy, ref)
    except BatchError as error:
        _refuse(ws, ref, batch, None, str(error), as_of)
        return batch, str(error)
    if given.error is not None:
        _refuse(ws, ref, batch, given.came, str(given.error), as_of)
        return batch, str(given.error)
    outcome = _validate(ws, ref, given, as_of, batch)
    if outcome.failed_batch:
        _refuse(ws, ref, batch, given.came, outcome.reason, as_of)
        return batch, outcome.reason
    _accept(ws, ref, batch, given, outcome, as_of)
    return batch, None


def _validate(ws: Workspace, ref: BatchRef, given: Delivered, as_of: datetime, batch: str) -> ValidationOutcome:
    suites = ws.policy.expectations
    suite = suites.labels if ref.stream == "labels" else suites.predictions
    docs = DataDocs(ws.settings.home, ws.app)

    def keep(outcome: ValidationOutcome, report: Any) -> None:
        docs.keep(batch, ref.stream, ref.name, as_of, outcome, report)

    schema = check_schema(ws.policy, ref.stream, given.frame, as_of, ref.date)
    return validate(given.frame, suite, ref.name, combined(len(given.frame), [given.failing, schema]), keep)


def check_schema(
    policy: Policy, stream: Stream, frame: pd.DataFrame, as_of: datetime, day: date | None = None
) -> ValidationOutcome:
    """Whether rows can become rows of the log at all, before any expectation. day: the UTC day they came for."""
    features, label = policy.features, policy.label
    if stream == "labels":
        return check_labels(frame, as_of, day, task=label.task, classes=label.classes)
    texts = [c for c in policy.columns if c not in features.numeric and c not in features.extra]
    columns = kinds_of([*features.numeric, *features.extra], texts)
    return check_predictions(frame, as_of, columns, day, task=label.task, classes=label.classes)


def _accept(
    ws: Workspace, ref: BatchRef, batch: str, given: Delivered, outcome: ValidationOutcome, as_of: datetime
) -> None:
    good = given.frame[~outcome.mask]
    Staging(ws.settings.home, ws.app).put(ref.stream, batch, log_table(ws.policy, ref.stream, good, batch, as_of))
    failing = {row: "; ".join(why) for row, why in outcome.row_failures.items()}
    kept = set_aside(ws, batch, ref.stream, given.came, failing, as_of) if failing else None
    for item in ws.batches.items(batch_id=batch, state="open"):
        if item.id != kept and item.n_rows == len(given.came):  # the whole batch was refused, under another policy
            ws.batches.resolve(item.id, "replayed")
    _supersede(ws, ref, batch)
    _supersede_rows(ws, ref, batch, given.came)


def _refuse(ws: Workspace, ref: BatchRef, batch: str, frame: pd.DataFrame | None, reason: str, as_of: datetime) -> None:
    from continual.stores.batches import Batch

    n = 0 if frame is None else len(frame)
    if frame is not None:
        set_aside(ws, batch, ref.stream, frame, dict.fromkeys(range(n), reason), as_of)
    _supersede(ws, ref, batch)
    ws.batches.record(Batch(ref.stream, ref.name, content_of(ref), "quarantined", 0, n, as_of, reason=reason))


def _supersede(ws: Workspace, ref: BatchRef, batch: str) -> None:
    """A corrected delivery under the same name closes what the earlier one left open."""
    from dataclasses import replace

    from continual.stores.batches import batch_id

    for old in ws.batches.batches(stream=ref.stream, name=ref.name, state="quarantined"):
        old_id = batch_id(ws.app, old.stream, old.content_hash)
        if old_id != batch:
            ws.batches.record(replace(old, state="superseded"))
            for item in ws.batches.items(batch_id=old_id, state="open"):
                ws.batches.resolve(item.id, "superseded")


def _supersede_rows(ws: Workspace, ref: BatchRef, batch: str, came: pd.DataFrame) -> None:
    """Rows that were set aside from an accepted delivery are settled once a corrected one under the same name brings
    them all again, by their keys: those that still fail are in an item of its own."""
    from continual.stores.batches import batch_id

    earlier = [batch_id(ws.app, b.stream, b.content_hash) for b in ws.batches.batches(stream=ref.stream, name=ref.name)]
    open_items = [i for old in earlier if old != batch for i in ws.batches.items(batch_id=old, state="open")]
    brought = set(came["record_key"].dropna()) if open_items else set()
    for item in open_items:
        keys = stored_rows(ws, item).get("record_key")
        if keys is not None and keys.notna().all() and brought.issuperset(keys):
            ws.batches.resolve(item.id, "superseded")
