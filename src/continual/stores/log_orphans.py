"""Files below a log's table that no snapshot needs: what a killed writer left. They may hold rows that were erased."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.window import utc
from continual.stores.log_remove import needed

if TYPE_CHECKING:
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
    there = disk.get_file_info(FileSelector(folder, allow_not_found=True, recursive=True))
    old = [f.path for f in there if f.type == FileType.File and f.path.endswith(KINDS) and f.mtime < moment]
    # asked after the listing: a file that came in between is not on the list
    table = log.load()
    wanted = {PyArrowFileIO.parse_location(path)[2] for path in needed(table)} if table is not None else set()
    gone = [path for path in old if path not in wanted]
    for path in gone:
        with contextlib.suppress(FileNotFoundError):
            disk.delete_file(path)
    return len(gone)
