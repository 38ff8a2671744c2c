"""Which record keys the log holds, on whatever day: an index that is derived from the log and rebuilt from it.

It holds 64-bit hashes and event times, never keys. A hash that is not here is not in the log; one that is here says
on which day to look: only the real key, read there, decides. What is indexed is known by data file, so the index
follows appends, deletes and rewrites by any writer; a lost, torn or foreign index is built again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from continual.stores.key_runs import Keys, Pair, Run, compacted, read_run, sort_pairs, write_run
from continual.stores.row_hash import key_hash

if TYPE_CHECKING:
    from pyiceberg.table import FileScanTask, Table

#: Rows hashed at a time: bounds the memory of a rebuild.
CHUNK = 1_000_000
COLUMNS = ("record_key", "event_time")


@dataclass(frozen=True)
class _Manifest:
    """State of the index: complete up to this snapshot of this table."""

    table: str
    snapshot: int | None
    runs: tuple[Run, ...]


_EMPTY = _Manifest("", None, ())


class KeyIndex:
    """The index of one table in a folder of its own. Safe for several processes; any of them brings it up to date."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keys(self, table: Table | None) -> Keys:
        """Caught up with `table` at least (it may know more, when another process has seen a newer snapshot)."""
        if table is None or table.current_snapshot() is None:
            return Keys([])
        with self._locked():
            manifest = self._load()
            if manifest.table != str(table.metadata.table_uuid):
                manifest = _EMPTY
            elif manifest.snapshot not in {s.snapshot_id for s in table.metadata.snapshots}:
                table = table.catalog.load_table(table.name())  # newer than what the caller holds, or expired
            manifest, pairs = self._caught_up(manifest, table)
            if pairs is None:  # a run is missing or torn
                manifest, pairs = self._caught_up(_EMPTY, table)
            return Keys(pairs or [])

    def forget(self) -> None:
        """Delete everything; the next `keys` builds it again from what the log holds then."""
        with self._locked():
            self._store(_EMPTY)

    def _caught_up(self, manifest: _Manifest, table: Table) -> tuple[_Manifest, list[Pair] | None]:
        current = table.current_snapshot()
        snapshot = current.snapshot_id if current else None
        if manifest.snapshot != snapshot:
            kept, new = _difference(manifest, table)
            fresh = [write_run(self.folder, *_index(table, new))] if new else []
            runs = tuple(compacted(self.folder, [*kept, *fresh]))
            if sum(run.n for run in runs) == sum(run.n for run in [*kept, *fresh]):
                manifest = _Manifest(str(table.metadata.table_uuid), snapshot, runs)
                self._store(manifest)
        pairs = [pair for run in manifest.runs if (pair := read_run(self.folder, run)) is not None]
        whole = manifest.snapshot == snapshot and len(pairs) == len(manifest.runs)
        return manifest, pairs if whole else None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> _Manifest:
        try:
            found = json.loads((self.folder / "index.json").read_text())
            runs = tuple(Run(run["name"], run["n"], tuple(run["files"])) for run in found["runs"])
            return _Manifest(found["table"], found["snapshot"], runs)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return _EMPTY

    def _store(self, manifest: _Manifest) -> None:
        """The new list of runs, all or nothing; then the files that nothing names any more go."""
        part = self.folder / "index.tmp"
        part.write_text(json.dumps(asdict(manifest)))
        os.replace(part, self.folder / "index.json")
        named = {run.name for run in manifest.runs}
        for path in self.folder.glob("*.run"):
            if path.name not in named:
                path.unlink(missing_ok=True)


def _difference(manifest: _Manifest, table: Table) -> tuple[list[Run], list[FileScanTask]]:
    """Runs that still hold, and the data files that no run covers."""
    appended = _appended(manifest, table)
    if appended is not None:
        return list(manifest.runs), appended
    live = {task.file.file_path: task for task in table.scan(selected_fields=COLUMNS).plan_files()}
    kept = [run for run in manifest.runs if set(run.files) <= live.keys()]
    covered = {file for run in kept for file in run.files}
    return kept, [task for path, task in live.items() if path not in covered]


def _appended(manifest: _Manifest, table: Table) -> list[FileScanTask] | None:
    """Data files since the manifest's snapshot when all that happened were appends; else None."""
    from pyiceberg.table.snapshots import Operation

    by_id = {snapshot.snapshot_id: snapshot for snapshot in table.metadata.snapshots}
    snapshot = table.current_snapshot()
    while snapshot is not None and snapshot.snapshot_id != manifest.snapshot:
        if snapshot.summary is None or snapshot.summary.operation != Operation.APPEND:
            return None
        snapshot = by_id.get(snapshot.parent_snapshot_id or -1)
    if snapshot is None:
        return None
    scan = table.incremental_append_scan(from_snapshot_id_exclusive=manifest.snapshot, selected_fields=COLUMNS)
    return list(scan.plan_files())


def _index(table: Table, tasks: Sequence[FileScanTask]) -> tuple[Pair, list[str]]:
    parts = [pair for task in tasks for pair in _pairs(table, task)]
    empty = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
    return sort_pairs(parts or [empty]), [task.file.file_path for task in tasks]


def _pairs(table: Table, task: FileScanTask) -> Iterator[Pair]:
    """(hash, microseconds) of a data file, some rows at a time."""
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan

    schema = table.schema().select(*COLUMNS)
    rows: Any = ArrowScan(table.metadata, table.io, schema, AlwaysTrue()).to_table([task])
    for start in range(0, rows.num_rows, CHUNK):
        part = rows.slice(start, CHUNK)
        yield key_hash(part.column("record_key")), part.column("event_time").cast(pa.int64()).to_numpy()
