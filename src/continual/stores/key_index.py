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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from continual.stores import log_history
from continual.stores.key_runs import Keys, Pair, Run, compacted, read_run, sort_pairs, write_run
from continual.stores.row_hash import key_hash

if TYPE_CHECKING:
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.table.snapshots import Snapshot

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
            fresh = [write_run(self.folder, _index(table, new.tasks), new.files)] if new.tasks else []
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


@dataclass(frozen=True)
class _New:
    """Data files to index, and the files that hold their rows today (another tool's, once they were put together)."""

    tasks: list[FileScanTask]
    files: set[str]


def _difference(manifest: _Manifest, table: Table) -> tuple[list[Run], _New]:
    """Runs that still hold, and what no run covers."""
    newer = log_history.after(table, manifest.snapshot) if manifest.snapshot is not None else None
    if newer is not None and all(log_history.appends(one) or log_history.compacts(one) for one in newer):
        return _followed(manifest, table, newer)
    live = {task.file.file_path: task for task in table.scan(selected_fields=COLUMNS).plan_files()}
    kept = [run for run in manifest.runs if set(run.files) <= live.keys()]
    covered = {file for run in kept for file in run.files}
    new = {path: task for path, task in live.items() if path not in covered}
    return kept, _New(list(new.values()), set(new))


def _followed(manifest: _Manifest, table: Table, newer: Sequence[Snapshot]) -> tuple[list[Run], _New]:
    """Commit by commit: files that came are read, files that were put together stand under their new names."""
    from pyiceberg.table import FileScanTask

    runs, tasks, fresh = [set(run.files) for run in manifest.runs], list[Any](), set[str]()
    for snapshot in newer:
        if log_history.compacts(snapshot):
            for old, new in log_history.replaced(table, snapshot):
                for files in (*runs, fresh):
                    if files & old:
                        files.difference_update(old)
                        files.update(new)
        else:
            found = [FileScanTask(entry.data_file) for entry in log_history.came(table, snapshot)]
            tasks += found
            fresh |= {task.file.file_path for task in found}
    named = [replace(run, files=tuple(sorted(files))) for run, files in zip(manifest.runs, runs, strict=True)]
    return named, _New(tasks, fresh)


def _index(table: Table, tasks: Sequence[FileScanTask]) -> Pair:
    parts = [pair for task in tasks for pair in _pairs(table, task)]
    empty = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
    return sort_pairs(parts or [empty])


def _pairs(table: Table, task: FileScanTask) -> Iterator[Pair]:
    """(hash, microseconds) of a data file, some rows at a time."""
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan

    schema = table.schema().select(*COLUMNS)
    rows: Any = ArrowScan(table.metadata, table.io, schema, AlwaysTrue()).to_table([task])
    for start in range(0, rows.num_rows, CHUNK):
        part = rows.slice(start, CHUNK)
        yield key_hash(part.column("record_key")), part.column("event_time").cast(pa.int64()).to_numpy()
