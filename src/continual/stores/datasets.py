"""What a model was trained or judged on: the specification and every row's key and hash."""

from __future__ import annotations

import os
from collections.abc import Collection
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
    """How the rows were chosen. sampler: its parameters; snapshot_id, labels_snapshot_id: of the predictions
    and of the labels that were read."""

    purpose: str
    window: Window
    as_of: datetime
    columns: tuple[str, ...]
    snapshot_id: str | None = None
    sampler: dict[str, Any] | None = None
    seed: int | None = None
    labels_snapshot_id: str | None = None


@dataclass(frozen=True)
class DatasetVersion:
    """A stored dataset. id: hash of specification and rows; path: relative to the root of the store; n_erased: rows
    deleted since by an erasure, left_hash: content of those that are left."""

    id: str
    spec: DatasetSpec
    n_rows: int
    path: str
    n_erased: int = 0
    left_hash: str | None = None

    @property
    def reproducible(self) -> bool:
        """Whether its rows are still the rows it was made of."""
        return self.n_erased == 0


class DatasetStore:
    """Dataset versions of one application; the rows are Parquet files under `root`."""

    def __init__(self, db: Database, app: str, root: Path, clock: Clock = wall_clock) -> None:
        self.db, self.app, self.root, self._clock = db, checked_app(app), Path(root), clock

    def save(self, spec: DatasetSpec, rows: pd.DataFrame) -> DatasetVersion:
        """Store the lineage of a dataset; the same specification and rows in the same order have the same id.

        rows: one row per example: record_key, row_hash and what else tells why it is in (probability, ...).
        """
        identity = self.identity(spec, rows)
        found = DatasetVersion(identity, spec, len(rows), f"{self.app}/{identity}.parquet")
        self._write_file(found.path, rows)
        self._record(found)
        return found

    def _record(self, made: DatasetVersion) -> None:
        from continual.stores.rows import upsert
        from continual.stores.tables import dataset_version

        spec = made.spec
        row = {
            "app": self.app,
            **{field.name: getattr(spec, field.name) for field in fields(spec) if field.name != "window"},
            "as_of": utc(spec.as_of),
            "columns": list(spec.columns),
            "sampler": plain(spec.sampler),
            "window_start": spec.window.start,
            "window_end": spec.window.end,
            "id": made.id,
            "n_rows": made.n_rows,
            "path": made.path,
            "recorded_at": self._clock(),
        }
        with self.db.write() as connection:
            upsert(connection, dataset_version, [row], keep_first=True)

    def identity(self, spec: DatasetSpec, rows: pd.DataFrame) -> str:
        """The id that a dataset of this specification and these rows has."""
        return digest([self.app, plain_spec(spec), _content(rows)])

    def get(self, dataset_id: str) -> DatasetVersion:
        """By its id or a beginning of it that no other has.

        Raises
        ------
        StoreError: there is no such dataset version, or there are several.
        """
        from continual.stores.tables import dataset_version as table

        named = table.c.id.startswith(dataset_id, autoescape=True) if len(dataset_id) >= 4 else table.c.id == dataset_id
        with self.db.read() as connection:
            rows = connection.execute(table.select().where(table.c.app == self.app, named)).mappings().all()
        if len(rows) != 1:
            got = f"{len(rows)} dataset versions begin so" if rows else "no such dataset version"
            raise StoreError(
                "DATASET must be the id of a dataset version, or four or more letters that only one begins with.",
                f"{dataset_id!r}: {got}.",
                f"see `continual dataset list {self.app}`.",
            )
        return _version(rows[0])

    def load(self, dataset_id: str) -> pd.DataFrame:
        """The rows as they were saved, without those that were erased since.

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
        content = _content(rows)
        whole = digest([self.app, plain_spec(found.spec), content]) == found.id
        if not (whole if found.reproducible else content == found.left_hash):
            raise self._missing(dataset_id, f"{found.path} holds other rows than were saved")
        return rows

    def snapshots(self) -> set[int]:
        """Snapshots of the log that datasets were read from."""
        specs = [version.spec for version in self.all()]
        named = [name or "" for spec in specs for name in (spec.snapshot_id, spec.labels_snapshot_id)]
        return {int(snapshot) for snapshot in named if snapshot.isdigit()}

    def holding(self, keys: Collection[str]) -> list[str]:
        """Ids of the datasets that hold rows of these record keys."""
        return list(self.counts(keys))

    def counts(self, keys: Collection[str]) -> dict[str, int]:
        """Dataset -> rows of these record keys in it, of those that have some."""
        found = {version.id: self._count(version, keys) for version in self.all()}
        return {dataset: n for dataset, n in found.items() if n}

    def erase(self, keys: Collection[str]) -> list[str]:
        """Rewrite the files that hold rows of these record keys without them; returns the datasets' ids. Each is
        marked as no longer reproducible first, so that a kill in between leaves one that is erased again."""
        found = [version for version in self.all() if self._count(version, keys)]
        for version in found:
            self._erase_from(version, keys)
        return [version.id for version in found]

    def all(self) -> list[DatasetVersion]:
        """Dataset versions, oldest as_of first."""
        from continual.stores.tables import dataset_version as table

        query = table.select().where(table.c.app == self.app).order_by(table.c.as_of, table.c.recorded_at, table.c.id)
        with self.db.read() as connection:
            return [_version(row) for row in connection.execute(query).mappings()]

    def _count(self, version: DatasetVersion, keys: Collection[str]) -> int:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        file = self.root / version.path
        if not file.exists() or "record_key" not in pq.read_schema(file).names:
            return 0
        held = pq.read_table(file, columns=["record_key"]).column("record_key").cast(pa.string())
        return int(pc.sum(pc.is_in(held, value_set=pa.array(list(keys), pa.string()))).as_py() or 0)

    def _erase_from(self, version: DatasetVersion, keys: Collection[str]) -> None:
        import pandas as pd

        from continual.stores.tables import dataset_version as table

        rows = pd.read_parquet(self.root / version.path)
        left = rows[~rows["record_key"].isin(list(keys))].reset_index(drop=True)
        marks = {"n_erased": version.n_rows - len(left), "left_hash": _content(left)}
        with self.db.write() as connection:
            one = (table.c.app == self.app, table.c.id == version.id)
            connection.execute(table.update().where(*one).values(**marks))
        self._write_file(version.path, left)

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
    if spec.labels_snapshot_id is None:
        del values["labels_snapshot_id"]  # datasets from before it was recorded keep their hash
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
    return DatasetVersion(row["id"], spec, row["n_rows"], row["path"], row["n_erased"], row["left_hash"])
