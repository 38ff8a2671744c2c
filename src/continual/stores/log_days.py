"""Which days of event time new rows and new labels concern: what an incremental evaluation must look at again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, IsNull
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.manifest import ManifestContent

from continual.core.window import utc
from continual.stores import log_history
from continual.stores.key_runs import Keys
from continual.stores.log_read import DAY, known_after, known_by, on_days
from continual.stores.row_hash import key_hash

if TYPE_CHECKING:
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.table.snapshots import Snapshot

Days = npt.NDArray[np.int64]
EPOCH = date(1970, 1, 1)


def dates(days: Days) -> list[date]:
    """UTC day numbers, in ascending order and once each."""
    return [EPOCH + timedelta(days=int(day)) for day in np.unique(days)]


def prediction_days(table: Table, known: BooleanExpression, since: datetime | None, as_of: datetime) -> Days:
    """Days with a prediction known in (since, as_of]. A file whose bounds lie within is not opened."""
    sure: set[int] = set()
    unsure: set[int] = set()
    for task in table.scan(known, selected_fields=("event_time",)).plan_files():
        day = int(task.file.partition[0])
        (sure if _inside(table, task, since, as_of) else unsure).add(day)
    for day in unsure - sure:
        rows = And(known, on_days("event_time", np.array([day])))
        if table.scan(rows, selected_fields=("event_time",), limit=1).to_arrow().num_rows:
            sure.add(day)
    return np.array(sorted(sure), dtype=np.int64)


def _inside(table: Table, task: FileScanTask, since: datetime | None, as_of: datetime) -> bool:
    field = table.schema().find_field("known_at")
    low, high = (bounds.get(field.field_id) for bounds in (task.file.lower_bounds, task.file.upper_bounds))
    if low is None or high is None or task.delete_files:
        return False
    first, last = (int(from_bytes(field.field_type, bound)) for bound in (low, high))
    return last <= _micros(as_of) and (since is None or first > _micros(since))


def label_days(table: Table, known: BooleanExpression, keys: Keys) -> Days:
    """Days of the predictions whose labels these are; a label without one concerns no day yet."""
    has = "event_time" in table.schema().column_names
    names = ("record_key", "event_time") if has else ("record_key",)
    return _placed(table.scan(known, selected_fields=names).to_arrow(), keys)


def _placed(found: pa.Table, keys: Keys) -> Days:
    """Days of labels: as said when they were appended, else looked up."""
    has = "event_time" in found.column_names
    pending = found.filter(pc.is_null(found.column("event_time"))) if has else found
    micros, there = keys.event_time(key_hash(pending.column("record_key")))
    placed = pc.drop_null(found.column("event_time")).cast(pa.int64()).to_numpy() if has else micros[:0]
    return np.unique(np.r_[placed, micros[there]] // DAY)


def added(table: Table, since: int | None) -> list[FileScanTask]:
    """Data files with rows that the snapshot `since` did not have; all of them when it is gone. Of the lists of files
    only those written since are opened, however long the log is."""
    from pyiceberg.table import FileScanTask

    newer, now = log_history.after(table, since), table.current_snapshot()
    if newer is None or now is None:  # what came between has expired, or `since` itself
        before: set[str] = set()
        if since is not None and table.snapshot_by_id(since) is not None:
            before = {task.file.file_path for task in table.scan(snapshot_id=since).plan_files()}
        return [task for task in table.scan().plan_files() if task.file.file_path not in before]
    ids = {one.snapshot_id for one in newer}
    lists = [one for one in now.manifests(table.io) if one.added_snapshot_id in ids]
    entries = [e for one in lists if one.content == ManifestContent.DATA for e in one.fetch_manifest_entry(table.io)]
    found = [FileScanTask(entry.data_file) for entry in entries if entry.snapshot_id in ids]
    if any(log_history.compacts(one) for one in newer):
        rows_of = _with_new_rows(table, newer)
        found = [task for task in found if task.file.file_path in rows_of]
    return found


def _with_new_rows(table: Table, newer: Sequence[Snapshot]) -> set[str]:
    """Paths of the files that these commits wrote, and of those that such files were put together into."""
    found: set[str] = set()
    for snapshot in newer:
        if log_history.compacts(snapshot):
            found |= {path for old, new in log_history.replaced(table, snapshot) if old & found for path in new}
        else:
            found |= {entry.data_file.file_path for entry in log_history.came(table, snapshot)}
    return found


def added_predictions(table: Table, since: int | None) -> Days:
    """Days of the predictions in `added` files, by their partition."""
    return np.array([int(task.file.partition[0]) for task in added(table, since)], dtype=np.int64)


def added_labels(table: Table, since: int | None, keys: Keys) -> Days:
    """Days of the predictions that the labels in `added` files belong to."""
    files = added(table, since)
    if not files:
        return np.zeros(0, dtype=np.int64)
    has = "event_time" in table.schema().column_names
    schema = table.schema().select(*(("record_key", "event_time") if has else ("record_key",)))
    return _placed(ArrowScan(table.metadata, table.io, schema, AlwaysTrue()).to_table(files), keys)


def unknown_keys(
    labels: Table, predictions: Table | None, keys: Keys, as_of: datetime, before: datetime
) -> pd.DataFrame:
    """Labels known by `before` whose key has no prediction that is known by `as_of`: (record_key, known_at, n)."""
    waiting: BooleanExpression = known_by(before)
    if "event_time" in labels.schema().column_names:
        waiting = And(IsNull("event_time"), waiting)
    frame = labels.scan(waiting, selected_fields=("record_key", "known_at")).to_arrow().to_pandas()
    found = keys.find(key_hash(pa.chunked_array([pa.array(frame["record_key"], pa.string())])))
    if predictions is not None and len(found):
        known = _known(predictions, found.event_time // DAY, as_of)
        frame = frame[~frame["record_key"].isin(known.to_pylist())]
    grouped = frame.groupby("record_key", as_index=False).agg(known_at=("known_at", "min"), n=("known_at", "size"))
    waiting_longest: pd.DataFrame = grouped.sort_values(["known_at", "record_key"], ignore_index=True)
    return waiting_longest


def _known(table: Table, days: Days, as_of: datetime) -> pa.ChunkedArray:
    where = And(on_days("event_time", days), known_by(as_of))
    return table.scan(where, selected_fields=("record_key",)).to_arrow().column("record_key")


def known_between(since: datetime | None, as_of: datetime) -> BooleanExpression:
    return known_by(as_of) if since is None else And(known_after(since), known_by(as_of))


def _micros(value: datetime) -> int:
    return int((pd.Timestamp(utc(value)) - pd.Timestamp(0, tz=UTC)) // pd.Timedelta(1, "us"))
