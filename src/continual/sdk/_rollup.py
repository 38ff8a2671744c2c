"""Many small files of a busy process become few: sixteen of one size class are written as one and then removed.

A file of every five seconds would be 17,280 a day and process, and ingest judges each by itself. Merged by sixteens
they are at most 15 of each of four sizes, and a row is written four times. Only files of a day that is not nearly over
are touched: ingest lists a day's files when the day is over, and must not lose one it has listed. A process that is
killed between the two steps leaves the same rows in two files, which ingest drops by their keys.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from continual.sdk._inbox import Inbox, InboxFile, merged_name, to_parquet

if TYPE_CHECKING:
    import pyarrow as pa

#: Files of one size class that become one.
TOGETHER = 16
#: Nothing is moved when so little of the UTC day is left.
MARGIN = timedelta(minutes=5)


@dataclass
class Rollup:
    """The small files one logger has written. most_rows: a file that has as many stays as it is."""

    inbox: Inbox
    most_rows: int
    _waiting: dict[tuple[str, str, int], list[InboxFile]] = field(default_factory=dict)

    def written(self, file: InboxFile, now: datetime) -> int:
        """A file was written at `now`. Returns how many files fewer there are now.

        Raises
        ------
        Exception: whatever the disk or the client says; every row is in a file still, and these files stay apart.
        """
        self._forget(now)
        fewer, level = 0, 0
        while file.rows < self.most_rows and self._may_move(file, now):
            together = self._waiting.setdefault((file.group, file.kind, level), [])
            together.append(InboxFile(file.name, b"", file.rows, file.kind))
            if len(together) < TOGETHER:
                break
            del self._waiting[file.group, file.kind, level]
            file = self._merge(together)
            fewer, level = fewer + len(together) - 1, level + 1
        return fewer

    def _merge(self, files: list[InboxFile]) -> InboxFile:
        import pyarrow as pa

        whole: pa.Table = pa.concat_tables([_read(self.inbox.read(file.name)) for file in files])
        out = InboxFile(merged_name(files[0].name), to_parquet(whole), whole.num_rows, files[0].kind)
        self.inbox.write(out)
        for file in files:
            self.inbox.remove(file.name)
        return out

    def _may_move(self, file: InboxFile, now: datetime) -> bool:
        return file.day >= (now.astimezone(UTC) + MARGIN).date()

    def _forget(self, now: datetime) -> None:
        """Files of days that are over, which nobody will move."""
        for key in [key for key, files in self._waiting.items() if not self._may_move(files[0], now)]:
            del self._waiting[key]


def _read(content: bytes) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(io.BytesIO(content))
