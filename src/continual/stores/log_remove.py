"""Rows leave an Iceberg table for good: rewrite, expire every snapshot that reaches the old files, delete the files.

What is still to be done stands in the table's own properties, set in the commit before: a kill between any two steps
leaves work that `settle` finds.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import BooleanExpression
from pyiceberg.manifest import ManifestContent
from pyiceberg.table.update.snapshot import ExpireSnapshots

from continual.core.window import utc
from continual.stores.log_commit import PAST_COMMITS, commits
from continual.stores.log_schema import arrow_schema

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from continual.stores.log_commit import LogTable

#: Data files that a delete may have replaced: those that are not live any more must not be reachable.
REPLACED = "continual.replaced-files"
#: Files that no snapshot reaches and that must be deleted.
DOOMED = "continual.doomed-files"
#: How many commit ids of expired snapshots are remembered; older batches are recorded in the evaluation store.
REMEMBERED = 1000


def remove(log: LogTable, where: BooleanExpression) -> None:
    """Delete the rows by rewriting their files; call `settle` afterwards. Repeated, it deletes nothing."""
    settle(log)
    log.again(lambda: _delete(log.load(), where))


def _delete(table: Table | None, where: BooleanExpression) -> None:
    if table is None:
        return
    key = table.schema().fields[0].name
    scan = table.scan(where, selected_fields=(key,))
    past = _past_files(table, where)
    if scan.count() == 0 and not past:
        return
    files = [*past, *(task.file.file_path for task in scan.plan_files())]
    with table.transaction() as transaction, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyiceberg warns when the rows are in no file
        transaction.set_properties({REPLACED: json.dumps(files)})
        transaction.delete(where)


def _past_files(table: Table, where: BooleanExpression) -> list[str]:
    """Files with such rows that only older snapshots read: their rows were put together into others since."""
    from pyiceberg.expressions.visitors import _InclusiveMetricsEvaluator
    from pyiceberg.io.pyarrow import ArrowScan
    from pyiceberg.table import FileScanTask

    live = {task.file.file_path for task in table.scan().plan_files()}
    every = (one for s in table.metadata.snapshots for one in s.manifests(table.io))
    lists = {one.manifest_path: one for one in every if one.content == ManifestContent.DATA}
    files = {e.data_file.file_path: e.data_file for one in lists.values() for e in one.fetch_manifest_entry(table.io)}
    may_hold = _InclusiveMetricsEvaluator(table.schema(), where).eval
    asked = [file for path, file in files.items() if path not in live and may_hold(file)]
    key = table.schema().select(table.schema().fields[0].name)
    scan = ArrowScan(table.metadata, table.io, key, where)
    return [file.file_path for file in asked if scan.to_table([FileScanTask(file)]).num_rows]


def settle(log: LogTable) -> None:
    """Finish what a delete began: expire, then delete files."""
    log.again(lambda: _expire_replaced(log.load()))
    log.again(lambda: _delete_files(log.load()))


def expire(log: LogTable, older_than: datetime, keep: Collection[int]) -> int:
    """Expire snapshots from before that instant (wall clock of their commit) but the newest and `keep`."""
    settle(log)
    count = log.again(lambda: _expire_old(log.load(), utc(older_than).timestamp() * 1000, keep))
    log.again(lambda: _delete_files(log.load()))
    return count


def _expire_old(table: Table | None, millis: float, keep: Collection[int]) -> int:
    if table is None:
        return 0
    current = table.metadata.current_snapshot_id
    old = [s for s in table.metadata.snapshots if s.timestamp_ms < millis and s.snapshot_id not in {current, *keep}]
    if old:
        _expire(table, old, [])
    return len(old)


def _expire_replaced(table: Table | None) -> None:
    if table is None or REPLACED not in table.properties:
        return
    current = table.current_snapshot()
    live = _files(table, [current] if current else [])
    gone = set(json.loads(table.properties[REPLACED])) - live
    if gone and current is not None:
        # the snapshot of the delete itself still lists the old files with their smallest and largest key
        table.append(arrow_schema(table.schema()).empty_table())
        table = table.refresh()
        current = table.current_snapshot()
    reaching = [s for s in table.metadata.snapshots if s != current and gone & _mentioned(table, s)]
    _expire(table, reaching, [REPLACED], gone)


def _expire(table: Table, snapshots: Iterable[Snapshot], finished: Iterable[str], gone: Iterable[str] = ()) -> None:
    """One commit: snapshots go, their files are doomed, their commit ids are remembered."""
    old = list(snapshots)
    rest = [s for s in table.metadata.snapshots if s not in old]
    doomed = (_files(table, old) | set(gone)) - _files(table, rest)
    doomed |= set(json.loads(table.properties.get(DOOMED, "[]")))
    past = [pair for pair in commits(table) if pair[1] != table.metadata.current_snapshot_id]
    with table.transaction() as transaction:
        transaction.set_properties({DOOMED: json.dumps(sorted(doomed)), PAST_COMMITS: json.dumps(past[-REMEMBERED:])})
        for name in finished:
            transaction.remove_properties(name)
        if old:
            ExpireSnapshots(transaction).by_ids([s.snapshot_id for s in old]).commit()


def _delete_files(table: Table | None) -> None:
    if table is None or DOOMED not in table.properties:
        return
    for path in json.loads(table.properties[DOOMED]):
        with contextlib.suppress(FileNotFoundError, NoSuchTableError):
            table.io.delete(path)
    with table.transaction() as transaction:
        transaction.remove_properties(DOOMED)


def needed(table: Table) -> set[str]:
    """Paths of all files that a snapshot of the table needs."""
    return _files(table, table.metadata.snapshots)


def _files(table: Table, snapshots: Iterable[Snapshot]) -> set[str]:
    """Paths of all files that these snapshots need: manifest lists, manifests and live data files."""
    found: set[str] = set()
    for snapshot in snapshots:
        found.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in found:
                found.add(manifest.manifest_path)
                found |= {e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io, discard_deleted=True)}
    return found


def _mentioned(table: Table, snapshot: Snapshot) -> set[str]:
    """Data files in any state that the snapshot's manifests list."""
    manifests = snapshot.manifests(table.io)
    return {e.data_file.file_path for m in manifests for e in m.fetch_manifest_entry(table.io, discard_deleted=False)}
