"""Answers of annotators: into the queue, what nobody asked about into the quarantine, agreed labels into the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.core.labelling import Answer, Fetched, Use
from continual.core.window import utc
from continual.errors import BatchError
from continual.flows.label_desk import desk_of, queue_of, reading_of, remember
from continual.flows.quarantine import set_aside
from continual.flows.workspace import Outcome, Workspace
from continual.labelers import _files

if TYPE_CHECKING:
    import pandas as pd

#: `source` of a label in the log: of people who saw no model's answer, and of those who did (rows that only train).
SOURCES = {Use.EVALUATION: "annotator", Use.TRAINING: "annotator_assisted"}
UNASKED = "nobody asked about this record key"


@dataclass(frozen=True)
class Taken:
    """answers: that were kept, those known before included. aside: rows that went to the quarantine."""

    answers: int
    aside: int


def collect(ws: Workspace, as_of: datetime) -> Outcome:
    """Fetch what the labeler has, settle the queue, close what is past its deadline, write agreed labels to the log.

    data: `written` labels, states of the queue, `as_of` = when the newest of the labels was known, not before the
    given instant. Safe to repeat at any time.

    Raises
    ------
    LabelerError: the backend does not answer; what is in the queue already is not written either.
    """
    as_of = utc(as_of)
    taken = fetch(ws, as_of)
    expired = queue_of(ws).expire(as_of)
    labels = write_labels(ws)
    counts = reading_of(ws).counts()
    newest = max([as_of, *labels["known_at"].dt.to_pydatetime()]) if len(labels) else as_of
    waiting = counts["open"] + counts["disputed"]
    said = [f"{len(labels):,} labels written to the log", f"{waiting:,} rows wait for answers"]
    said += [f"{counts['disputed']:,} of them disputed"] if counts["disputed"] else []
    said += [f"{expired:,} expired"] if expired else []
    said += [f"{taken.aside:,} rows quarantined"] if taken.aside else []
    data = {"written": len(labels), "counts": counts, "aside": taken.aside, "as_of": utc(newest).isoformat()}
    return Outcome("; ".join(said), data)


def fetch(ws: Workspace, as_of: datetime) -> Taken:
    """Bring the labeler's answers into the queue; the log is not touched but for the quarantine.

    Raises
    ------
    LabelerError: the backend does not answer.
    """
    found: Fetched = ws.policy.labeler.fetch(desk_of(ws))
    taken = take(ws, found.answers, found.refused, ws.policy.labeler.kind, as_of)
    remember(ws, found.memory)  # after: killed in between, the same answers are fetched again and change nothing
    return taken


def import_answers(ws: Workspace, path: Path, as_of: datetime, annotator: str | None = None) -> Outcome:
    """Answers of a CSV file with the columns record_key and label (annotator, answered_at by choice), then `collect`'s
    writing. In any order, repeated or partly filled; what cannot be used is quarantined with its reason.

    as_of: later answers are refused. annotator: whose answers they are where the file does not say.

    Raises
    ------
    BatchError: the file is no CSV or lacks a column.
    """
    try:
        found = _files.read_answers(path, ws.policy.question, utc(as_of), annotator)
    except ValueError as error:
        raise BatchError(
            "A file of answers must be a CSV in UTF-8 with the columns record_key and label.",
            f"{path.name}: {error}.",
            "start from the file of `continual labelling export` and fill in the column label.",
        ) from error
    refused = [(row, f"{path.name}, {why}") for row, why in found.refused]
    taken = take(ws, found.answers, refused, path.name, as_of)
    labels = write_labels(ws)
    counts = reading_of(ws).counts()
    reason = (
        f"{taken.answers:,} answers of {path.name} taken, {found.empty:,} rows not filled in, {taken.aside:,} "
        f"quarantined; {len(labels):,} labels written to the log, {counts['open'] + counts['disputed']:,} rows wait"
    )
    data = {"answers": taken.answers, "empty": found.empty, "aside": taken.aside, "written": len(labels)}
    return Outcome(reason, {**data, "counts": counts})


def take(
    ws: Workspace, answers: Sequence[Answer], refused: Sequence[tuple[dict[str, Any], str]], name: str, as_of: datetime
) -> Taken:
    """Answers into the queue; those nobody asked for, and `refused` ones, into the quarantine."""
    strays = queue_of(ws).record(list(answers))
    unused = [*((_as_row(answer), UNASKED) for answer in strays), *refused]
    if unused:
        _set_aside(ws, unused, len(answers) - len(strays), name, as_of)
    return Taken(len(answers) - len(strays), len(unused))


def _as_row(answer: Answer) -> dict[str, Any]:
    return {
        "record_key": answer.key,
        "value": answer.value,
        "source": SOURCES[Use.EVALUATION],
        "known_at": utc(answer.answered_at).isoformat(),
        "annotator": answer.annotator,
    }


def _set_aside(
    ws: Workspace, unused: Sequence[tuple[dict[str, Any], str]], kept: int, name: str, as_of: datetime
) -> None:
    """As ingest does with rows of a delivery: the batch is on record, its rows wait for a person."""
    import pandas as pd

    from continual.stores.batches import Batch

    content = digest([name, [list(pair) for pair in unused]])
    batch = Batch("labels", f"labelling {name}", content, "appended", kept, len(unused), utc(as_of))
    batch_id = ws.batches.record(batch)
    rows = pd.DataFrame([row for row, _ in unused])
    reasons = {i: why for i, (_, why) in enumerate(unused)}
    set_aside(ws, batch_id, "labels", rows, reasons, as_of)


def write_labels(ws: Workspace) -> pd.DataFrame:
    """Append every label whose value is not in the log yet: record_key, value, source, known_at of what was written.

    A label that changed is a new row; nothing is rewritten. The commit is named after its rows, so that a run that
    was killed before it could take note writes them once.
    """
    import pyarrow as pa

    rows = queue_of(ws).unwritten()
    labels = rows.rename(columns={"key": "record_key"})
    labels = labels.assign(source=[SOURCES[Use(use)] for use in labels["use"]]).drop(columns="use")
    if labels.empty:
        return labels
    commit = digest([ws.app, labels["record_key"].tolist(), labels["value"].tolist()])[:32]
    schema = pa.schema(
        [
            ("record_key", pa.string()),
            ("value", pa.float64()),
            ("source", pa.string()),
            ("known_at", pa.timestamp("us", tz="UTC")),
            ("batch_id", pa.string()),
        ]
    )
    table = pa.Table.from_pandas(labels.assign(batch_id=f"labelling:{commit[:16]}")[schema.names], schema=schema)
    ws.log.append_labels(table.replace_schema_metadata(None), commit)
    queue_of(ws).mark_written(labels["record_key"].tolist(), labels["value"].tolist())
    return labels
