"""Files below a log's table that no snapshot needs: what a killed writer left. They may hold rows that were erased."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.window import utc
from continual.stores.log_remove import needed

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from continual.stores.log_commit import LogTable

#: Data, and lists of files; a table's own description is looked after by the catalog.
KINDS = (".parquet", ".avro")


def sweep(log: LogTable, older_than: datetime) -> int:
    """Delete such files that were last written before that instant (wall clock; a writer at work must not be older).
    Returns how many."""
    from pyarrow.fs import FileSelector, FileType
    from pyiceberg.io.pyarrow import PyArrowFileIO

    table = log.load()
    if table is None or not isinstance(table.io, PyArrowFileIO):
        return 0
    scheme, host, folder = PyArrowFileIO.parse_location(table.location())
    disk, moment = table.io.fs_by_scheme(scheme, host), utc(older_than)
    found = disk.get_file_info(FileSelector(folder, allow_not_found=True, recursive=True))
    there = {file.path: file.mtime for file in found if file.type == FileType.File and file.path.endswith(KINDS)}
    if not _paths(table) <= there.keys():
        return 0  # the disk spells its names another way, or files lie elsewhere: what is needed cannot be told
    # asked again after the listing: what was committed in between may need a file that is on the list
    table = log.load()
    wanted = _paths(table) if table is not None else set()
    gone = [path for path, written in there.items() if written < moment and path not in wanted]
    for path in gone:
        with contextlib.suppress(FileNotFoundError):
            disk.delete_file(path)
    return len(gone)


def _paths(table: Table) -> set[str]:
    """What the table's snapshots need, as its disk names it."""
    from pyiceberg.io.pyarrow import PyArrowFileIO

    return {PyArrowFileIO.parse_location(path)[2] for path in needed(table)}
