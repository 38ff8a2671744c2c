"""Accepted rows of a batch between `validate` and `append`: one Parquet file each, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Staging:
    """Files `<home>/staging/<application>/<stream>/<batch>.parquet`."""

    home: Path
    app: str

    def put(self, stream: str, batch: str, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        path = self._path(stream, batch)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.tmp")
        pq.write_table(table, part)
        part.replace(path)

    def has(self, stream: str, batch: str) -> bool:
        return self._path(stream, batch).is_file()

    def read(self, stream: str, batches: Sequence[str]) -> pa.Table:
        """Rows of all these batches in the given order."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pa.concat_tables([pq.read_table(self._path(stream, b)) for b in batches])

    def drop(self, stream: str, batch: str) -> None:
        self._path(stream, batch).unlink(missing_ok=True)

    @property
    def folder(self) -> Path:
        return self.home / "staging" / self.app

    def _path(self, stream: str, batch: str) -> Path:
        return self.folder / stream / f"{batch}.parquet"
