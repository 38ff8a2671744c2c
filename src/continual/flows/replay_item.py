"""Rows of a quarantine item, judged again under the present policy; those that pass enter the log exactly once.

A batch that was refused whole is judged again as a batch. Rows set aside from an accepted batch are judged one by
one: checks of the table, of an aggregate or with `mostly` say nothing about a handful of rows, and the batch they came
with passed them. The day of the delivery binds no longer: a person looked at the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.core.window import utc
from continual.errors import BatchError, StoreError
from continual.expectations.outcome import ValidationOutcome, combined
from continual.expectations.spec import ROW_PREFIXES, ExpectationSpec, ExpectationSuiteSpec
from continual.flows.kinds import Delivered, numbers_of, told_apart
from continual.flows.log_rows import log_table
from continual.flows.quarantine import batch_of, check_open, find_item, is_whole_batch, set_aside, stored_rows
from continual.flows.validation import check_schema
from continual.flows.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from continual.stores.batches import Batch, QuarantineItem
    from continual.stores.entry import Entry

CONFLICT = "same record key, other content than the logged row"


@dataclass(frozen=True)
class _Order:
    """What a person asked for."""

    who: str
    as_of: datetime
    rename: dict[str, str]


@dataclass(frozen=True)
class _Judged:
    """rows: for the log. identical: how many are in the log already. failing: position in the item -> why."""

    frame: pd.DataFrame
    rows: pa.Table
    identical: int
    failing: dict[int, str]


def replay_item(
    ws: Workspace, name: str, who: str, as_of: datetime, rename: Mapping[str, str] | None = None
) -> Outcome:
    """Judge the rows of an item again; rows that still fail open a new item with their present reasons. Idempotent:
    killed anywhere, the same call finishes it; done, it repeats its answer.

    as_of: when the rows become known to readers. rename: delivered column -> column of the policy.

    Raises
    ------
    StoreError: no such item, or it was settled another way. BatchError: no row passes, or a renamed column is not
    there.
    """
    item = find_item(ws, name)
    entry = ws.ledger.get(f"quarantine:{item.id}:replayed")
    if item.state == "replayed":
        said = entry.reason if entry else "a later ingest accepted its batch"
        return Outcome(f"already replayed: {said}", _data(item, entry.evidence if entry else {}))
    check_open(item)
    batch = _finished(ws, item)
    entry = entry or _replay(ws, item, batch, _Order(who, utc(as_of), dict(rename or {})))
    if entry.evidence["whole"]:
        found = entry.evidence
        settled = replace(batch, state="appended", rows=found["appended"], rows_quarantined=found["failing"])
        ws.batches.record(replace(settled, as_of=entry.as_of, reason=entry.reason))
    ws.batches.resolve(item.id, "replayed")
    return Outcome(entry.reason, _data(item, entry.evidence))


def _replay(ws: Workspace, item: QuarantineItem, batch: Batch, order: _Order) -> Entry:
    judged = _judge(ws, item, batch, _renamed(stored_rows(ws, item), order.rename), order.as_of)
    if len(judged.failing) == item.n_rows:
        raise _none_passes(item, judged)
    _append(ws, item, judged)
    left = None
    if judged.failing:
        left = set_aside(ws, item.batch_id, item.stream, judged.frame, judged.failing, order.as_of, item.id)
    record = {
        "item": item.id,
        "batch": item.batch_id,
        "stream": item.stream,
        "whole": is_whole_batch(item, batch),
        "appended": judged.rows.num_rows,
        "identical": judged.identical,
        "failing": len(judged.failing),
        "left": left,
        "renamed": order.rename,
        "by": order.who,
    }
    key, reason = f"quarantine:{item.id}:replayed", _sentence(item, record)
    return ws.ledger.append("replayed", key, order.as_of, reason, record, ws.loaded.hash, ws.run)


def _finished(ws: Workspace, item: QuarantineItem) -> Batch:
    batch = batch_of(ws, item)
    if batch is None:
        raise StoreError(
            "Ingest must have finished with the batch of a quarantine item.",
            f"item {item.id} is of a batch that is not recorded yet.",
            f"wait for {ws.app}.ingest, or clear its failed run.",
        )
    return batch


def _renamed(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    came = [str(column) for column in frame.columns]
    missing = [old for old in names if old not in came]
    taken = [new for new in names.values() if new in came and new not in names]
    if missing or taken:
        raise BatchError(
            "A column can be renamed if it came and its new name is free.",
            f"{', '.join(missing)} did not come." if missing else f"{', '.join(taken)} came as well.",
            f"choose among: {', '.join(came)}.",
        )
    return frame.rename(columns=dict(names))


def _judge(ws: Workspace, item: QuarantineItem, batch: Batch, frame: pd.DataFrame, as_of: datetime) -> _Judged:
    given = told_apart(frame, numbers_of(ws.policy, _stream(item)), "mixed", "mixed-integer")
    outcome = _validate(ws, item, batch, given, as_of)
    why = {row: "; ".join(said) for row, said in outcome.row_failures.items()}
    if outcome.failed_batch:
        why = dict.fromkeys(range(len(frame)), outcome.reason)
    passing = given.frame.drop(index=list(why))
    if passing.empty:
        return _Judged(frame, _no_rows(), 0, why)
    table = log_table(ws.policy, _stream(item), passing, item.batch_id, as_of)
    if item.stream == "labels":
        return _Judged(frame, table, 0, why)
    new, identical, conflicts = ws.log.split_new(table)
    contradicting = set(conflicts.column("record_key").to_pylist())
    keys = frame["record_key"].tolist()
    why |= {i: CONFLICT for i, key in enumerate(keys) if i not in why and key in contradicting}
    return _Judged(frame, new, identical, dict(sorted(why.items())))


def _no_rows() -> pa.Table:
    import pyarrow as pa

    return pa.table({})


def _stream(item: QuarantineItem) -> Any:
    return item.stream


def _validate(
    ws: Workspace, item: QuarantineItem, batch: Batch, given: Delivered, as_of: datetime
) -> ValidationOutcome:
    from continual.expectations.validation import validate

    suites = ws.policy.expectations
    suite = suites.labels if item.stream == "labels" else suites.predictions
    if not is_whole_batch(item, batch):
        suite = row_suite(suite, given.frame)
    schema = check_schema(ws.policy, _stream(item), given.frame, as_of)
    return validate(given.frame, suite, item.id, combined(len(given.frame), [given.failing, schema]))


def row_suite(suite: ExpectationSuiteSpec, frame: pd.DataFrame) -> ExpectationSuiteSpec:
    """The checks that say something about single rows, each setting its failing rows aside; no limit on how many."""
    checks = tuple(_for_rows(check) for check in suite.checks if _judges_rows(check) and _has_values(check, frame))
    return ExpectationSuiteSpec(checks=checks, max_quarantined_share=1.0)


def _judges_rows(check: ExpectationSpec) -> bool:
    """`mostly` with severity batch tolerates single rows: their batch had few enough of them."""
    return check.name.startswith(ROW_PREFIXES) and (check.severity == "row" or "mostly" not in check.arguments)


def _has_values(check: ExpectationSpec, frame: pd.DataFrame) -> bool:
    """A column that is null in all these rows has nothing to check, but whether it may be null."""
    present = [column for column in check.columns if column in frame]
    return "to_not_be_null" in check.name or not present or bool(frame[present].notna().any(axis=None))


def _for_rows(check: ExpectationSpec) -> ExpectationSpec:
    arguments = {name: value for name, value in check.arguments.items() if name != "mostly"}
    return ExpectationSpec(name=check.name, arguments=arguments, severity="row")


def _append(ws: Workspace, item: QuarantineItem, judged: _Judged) -> None:
    """The commit is named after its rows: repeated it is one, and after an edit of the policy it is another."""
    if not judged.rows.num_rows:
        return
    passing = [i for i in range(item.n_rows) if i not in judged.failing]
    commit = digest(["replay", item.id, passing])[:32]
    if item.stream == "labels":
        ws.log.append_labels(judged.rows, commit)
    else:
        ws.log.append_predictions(judged.rows, commit)


def _none_passes(item: QuarantineItem, judged: _Judged) -> BatchError:
    reasons = list(dict.fromkeys(judged.failing.values()))
    more = f" | and {len(reasons) - 3} other reasons" if len(reasons) > 3 else ""
    return BatchError(
        "At least one row must pass the present checks.",
        f"all {item.n_rows:,} rows of item {item.id} still fail: {' | '.join(reasons[:3])}{more}.",
        "correct the policy, rename a column, deliver a corrected file under the same name, or discard the item.",
    )


def _sentence(item: QuarantineItem, found: dict[str, Any]) -> str:
    known = f", {found['identical']:,} known already" if found["identical"] else ""
    rest = f", {found['failing']:,} still fail and wait in item {found['left']}" if found["left"] else ""
    return f"{found['by']} replayed {item.n_rows:,} {item.stream} rows: {found['appended']:,} appended{known}{rest}"


def _data(item: QuarantineItem, record: dict[str, Any]) -> dict[str, Any]:
    names = ("appended", "identical", "failing", "left")
    return {"item": item.id, "state": "replayed", **{name: record.get(name) for name in names}}
