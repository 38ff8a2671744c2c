"""What a model was trained or judged on: the specification and every row's key and hash."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest, plain
from continual.core.window import Window, utc
from continual.errors import StoreError
from continual.stores.clock import Clock, wall_clock
from continual.stores.names import checked_app

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.database import Database


@dataclass(frozen=True)
class DatasetSpec:
    """How the rows were chosen. sampler: its parameters; snapshot_id: of the predictions that were read."""

    purpose: str
    window: Window
    as_of: datetime
    columns: tuple[str, ...]
    snapshot_id: str | None = None
    sampler: dict[str, Any] | None = None
    seed: int | None = None


@dataclass(frozen=True)
class DatasetVersion:
    """A stored dataset. id: hash of specification and rows; path: relative to the root of the store."""

    id: str
    spec: DatasetSpec
    n_rows: int
    path: str


class DatasetStore:
    """Dataset versions of one application; the rows are Parquet files under `root`."""

    def __init__(self, db: Database, app: str, root: Path, clock: Clock = wall_clock) -> None:
        self.db, self.app, self.root, self._clock = db, checked_app(app), Path(root), clock

    def save(self, spec: DatasetSpec, rows: pd.DataFrame) -> DatasetVersion:
        """Store the lineage of a dataset; the same specification and rows in the same order have the same id.

        rows: one row per example: record_key, row_hash and what else tells why it is in (probability, ...).
        """
        from continual.stores.rows import upsert
        from continual.stores.tables import dataset_version

        identity = digest([self.app, plain_spec(spec), _content(rows)])
        found = DatasetVersion(identity, spec, len(rows), f"{self.app}/{identity}.parquet")
        self._write_file(found.path, rows)
        row = {
            "app": self.app,
            **{field.name: getattr(spec, field.name) for field in fields(spec) if field.name != "window"},
            "as_of": utc(spec.as_of),
            "columns": list(spec.columns),
            "sampler": plain(spec.sampler),
            "window_start": spec.window.start,
            "window_end": spec.window.end,
            "id": identity,
            "n_rows": len(rows),
            "path": found.path,
            "recorded_at": self._clock(),
        }
        with self.db.write() as connection:
            upsert(connection, dataset_version, [row], keep_first=True)
        return found

    def get(self, dataset_id: str) -> DatasetVersion:
        """
        Raises
        ------
        StoreError: there is no such dataset version.
        """
        from continual.stores.tables import dataset_version as table

        query = table.select().where(table.c.app == self.app, table.c.id == dataset_id)
        with self.db.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise self._missing(dataset_id, "no such dataset version in the store")
        return _version(row)

    def load(self, dataset_id: str) -> pd.DataFrame:
        """The rows as they were saved.

        Raises
        ------
        StoreError: unknown id, or the file is gone or holds other rows.
        """
        import pandas as pd

        found = self.get(dataset_id)
        file = self.root / found.path
        if not file.exists():
            raise self._missing(dataset_id, f"{found.path} is gone")
        rows = pd.read_parquet(file)
        if digest([self.app, plain_spec(found.spec), _content(rows)]) != dataset_id:
            raise self._missing(dataset_id, f"{found.path} holds other rows than were saved")
        return rows

    def _write_file(self, path: str, rows: pd.DataFrame) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}.tmp")
        rows.to_parquet(unfinished, index=False)
        os.replace(unfinished, file)

    def _missing(self, dataset_id: str, got: str) -> StoreError:
        return StoreError(
            f"Dataset {dataset_id[:12]} of {self.app} must be readable as it was saved.",
            f"{got}.",
            "restore the file from a backup, or train again to make a new dataset version.",
        )


def plain_spec(spec: DatasetSpec) -> dict[str, Any]:
    """The specification as JSON types, the same before and after a trip through the database."""
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    return dict(plain({**values, "as_of": utc(spec.as_of)}))


def _content(rows: pd.DataFrame) -> str:
    import pyarrow as pa

    from continual.stores.row_hash import row_hash

    table = pa.Table.from_pandas(rows, preserve_index=False)
    return digest([list(rows.columns), row_hash(table, ignore=()).to_pylist()])


def _version(row: Any) -> DatasetVersion:
    names = [field.name for field in fields(DatasetSpec) if field.name not in ("window", "columns")]
    window = Window(row["window_start"], row["window_end"])
    spec = DatasetSpec(window=window, columns=tuple(row["columns"]), **{name: row[name] for name in names})
    return DatasetVersion(row["id"], spec, row["n_rows"], row["path"])
