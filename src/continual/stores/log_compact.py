"""The many small files that frequent deliveries leave become a few: the same rows, read at the price of one file.

The commit says of itself that it changed no row (`log_history.COMPACTED`): neither days nor record keys are looked at
again. Old files stay as long as a snapshot that names them.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, _dataframe_to_data_files

from continual.stores.log_history import COMPACTED, partition_of

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table

    from continual.stores.log_commit import LogTable

#: (scan tasks of files that go, data files that come)
Made = tuple[list[Any], list[Any]]
#: Small files that a partition may have.
FEW = 4
#: Bytes. A larger file is no trouble to its readers.
SMALL = 32 * 2**20
#: Bytes of small files of a partition that are put together in one go: bounds the memory.
AT_ONCE = 8 * SMALL


def compact(log: LogTable) -> tuple[int, int]:
    """Put together the small files of every partition that has more than `FEW`; (files before, files after).

    One commit; a partition that another writer rewrote meanwhile is left for the next time. What a kill leaves behind
    is no part of the log.

    Raises
    ------
    StoreError: other writers came first too often.
    """
    table = log.load()
    groups = _groups(table) if table is not None else []
    if table is None or not groups:
        return 0, 0
    made: list[Made] = []
    for files in groups:
        with contextlib.suppress(FileNotFoundError):  # an erasure came first
            made.append((files, _together(table, files)))
    done = log.again(lambda: _commit(log.load(), made))
    for _, new in (pair for pair in made if pair not in done):
        for file in new:
            with contextlib.suppress(FileNotFoundError):
                table.io.delete(file.file_path)
    return sum(len(old) for old, _ in done), sum(len(new) for _, new in done)


def _groups(table: Table) -> list[list[FileScanTask]]:
    """Small files by partition, as many as fit in one go."""
    found: dict[tuple[Any, ...], list[FileScanTask]] = defaultdict(list)
    for task in table.scan().plan_files():
        if task.file.file_size_in_bytes < SMALL and not task.delete_files:
            found[partition_of(task.file)].append(task)
    return [_bounded(tasks) for tasks in found.values() if len(tasks) > FEW]


def _bounded(tasks: list[FileScanTask]) -> list[FileScanTask]:
    ordered = sorted(tasks, key=lambda task: (task.file.file_size_in_bytes, task.file.file_path))
    taken, size = list[Any](), 0
    for task in ordered:
        size += task.file.file_size_in_bytes
        if size > AT_ONCE:
            break
        taken.append(task)
    return taken


def _together(table: Table, tasks: list[FileScanTask]) -> list[DataFile]:
    rows = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table(tasks)
    return list(_dataframe_to_data_files(table.metadata, rows, table.io))


def _commit(table: Table | None, made: list[Made]) -> list[Made]:
    """What could be committed: pairs of (tasks that went, data files that came)."""
    if table is None:
        return []
    live = {task.file.file_path for task in table.scan().plan_files()}
    done = [pair for pair in made if all(task.file.file_path in live for task in pair[0])]
    if done:
        with table.transaction() as change, change.update_snapshot({COMPACTED: "1"}).overwrite() as commit:
            for old, new in done:
                for task in old:
                    commit.delete_data_file(task.file)
                for file in new:
                    commit.append_data_file(file)
    return done
