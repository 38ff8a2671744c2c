"""One Iceberg table of the log: created when first written, appended to exactly once per commit id."""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.table import Table
from sqlalchemy.exc import IntegrityError, OperationalError

from continual.errors import StoreError
from continual.stores.log_schema import iceberg_schema, partition

if TYPE_CHECKING:
    from pyiceberg.table.snapshots import Snapshot

COMMIT_ID = "continual.commit-id"
#: Table property: [commit id, snapshot id] of appends whose snapshots expired, newest last.
PAST_COMMITS = "continual.past-commits"
Result = TypeVar("Result")
ATTEMPTS = 60
PROPERTIES = {
    # pyiceberg's own retry would append again without looking whether the commit id has arrived meanwhile
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    "write.parquet.compression-codec": "zstd",
}
#: A writer lost a race: look again. IntegrityError: two created the namespace at once; OperationalError: locked.
CONTENTION = (CommitFailedException, TableAlreadyExistsError, IntegrityError, OperationalError)

#: PyIceberg warns of every dictionary-encoded column it reads, although it was asked for them.
logging.getLogger("pyiceberg.io.pyarrow").addFilter(lambda said: "dictionary type" not in said.getMessage())


def open_catalog(uri: str, warehouse: str) -> Catalog:
    """An Iceberg catalog: `sqlite:///path`, `postgresql://...`, or the `http(s)://` address of a REST catalog.

    Raises
    ------
    StoreError: the catalog does not answer.
    """
    from sqlalchemy.engine import make_url

    if uri.startswith("sqlite"):
        url = make_url(uri)
        Path(url.database or ".").parent.mkdir(parents=True, exist_ok=True)
        uri = str(url.update_query_dict({"timeout": "30"}))
    elif uri.startswith("postgresql"):
        uri = make_url(uri).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    error: Exception | None = None
    for attempt in range(5):
        try:
            return load_catalog("continual", uri=uri, warehouse=warehouse, **object_storage(os.environ))
        except (OperationalError, IntegrityError) as caught:  # two processes create the catalog's tables at once
            error = caught
            time.sleep(0.1 * 2**attempt)
    raise StoreError(
        "The Iceberg catalog of the prediction log must answer.",
        f"{getattr(error, 'orig', error)}.",
        "check the catalog's URL in the settings and that its database runs; then clear the task.",
    ) from error


def object_storage(environ: Mapping[str, str]) -> dict[str, str]:
    """Catalog properties for a warehouse on `s3://`, from the variables every AWS tool reads; keys and profiles are
    found by the client itself."""
    names = {
        "s3.endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        "s3.region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    }
    found = {key: next((environ[v] for v in sources if environ.get(v)), "") for key, sources in names.items()}
    return {key: value for key, value in found.items() if value}


class LogTable:
    """A table of the log in the application's namespace."""

    def __init__(self, catalog: Catalog, app: str, name: str) -> None:
        self.catalog, self.app, self.name = catalog, app, name

    def load(self) -> Table | None:
        """The table as it is now, or None before the first append."""
        try:
            return self.catalog.load_table((self.app, self.name))
        except NoSuchTableError:
            return None

    def has(self, column: str) -> bool:
        """Whether there is nothing yet, or the table has this column."""
        table = self.load()
        return table is None or column in table.schema().column_names

    def append(self, commit_id: str, prepare: Callable[[Table | None], pa.Table]) -> int:
        """Append what `prepare` makes of the present table, in one snapshot; returns the snapshot's id.

        A commit id in the table's history is not appended again. When another writer comes first, `prepare` runs
        again on what that one left, so whatever it checked holds at the instant of the commit.

        Raises
        ------
        StoreError: other writers came first too often.
        """
        return self.again(lambda: self._append_once(commit_id, prepare))

    def again(self, commit: Callable[[], Result]) -> Result:
        """`commit`, repeated while other writers come first.

        Raises
        ------
        StoreError: they came first too often.
        """
        cause: Exception | None = None
        for attempt in range(ATTEMPTS):
            try:
                return commit()
            except CONTENTION as error:
                cause = error
                time.sleep(random.uniform(0.01, 0.05 * min(attempt + 1, 10)))  # noqa: S311 jitter, no secret  # nosec B311
        raise StoreError(
            f"{self.app}.{self.name} must accept a commit.",
            f"{ATTEMPTS} attempts lost against other writers or a locked catalog, last: {cause}.",
            "check for a stuck process on the catalog's database; then clear the task, nothing was written.",
        ) from cause

    def _append_once(self, commit_id: str, prepare: Callable[[Table | None], pa.Table]) -> int:
        table = self.load()
        done = committed(table, commit_id) if table else None
        if done is not None:
            return done
        rows = prepare(table)
        table = table or self._create(rows.schema)
        self._settle(table)
        with table.transaction() as transaction:
            if set(rows.schema.names) - set(table.schema().column_names):
                with transaction.update_schema() as update:
                    update.union_by_name(rows.schema)
            transaction.append(rows, snapshot_properties={COMMIT_ID: commit_id})
        snapshot_id: int = table.metadata.current_snapshot_id
        return snapshot_id

    def _create(self, schema: pa.Schema) -> Table:
        self.catalog.create_namespace_if_not_exists((self.app,))
        fields = iceberg_schema(schema)
        spec = partition(self.name, fields)
        return self.catalog.create_table((self.app, self.name), fields, partition_spec=spec, properties=PROPERTIES)

    def _settle(self, table: Table) -> None:
        """A table made by another tool gets the property that our retry depends on."""
        name = "commit.retry.num-retries"
        if table.properties.get(name) != PROPERTIES[name]:
            with table.transaction() as transaction:
                transaction.set_properties({name: PROPERTIES[name]})


def committed(table: Table, commit_id: str) -> int | None:
    """Id of the snapshot in the present history (expired ones too) that carries this commit id, or None."""
    return next((snapshot for commit, snapshot in reversed(commits(table)) if commit == commit_id), None)


def commits(table: Table) -> list[tuple[str, int]]:
    """(commit id, snapshot id) of the present history, oldest first; of expired snapshots the newest are kept."""
    by_id: dict[int, Snapshot] = {snapshot.snapshot_id: snapshot for snapshot in table.metadata.snapshots}
    snapshot, found = table.current_snapshot(), []
    while snapshot is not None:
        commit = snapshot.summary.additional_properties.get(COMMIT_ID) if snapshot.summary else None
        found += [(str(commit), int(snapshot.snapshot_id))] if commit else []
        snapshot = by_id.get(snapshot.parent_snapshot_id) if snapshot.parent_snapshot_id else None
    past = [(str(commit), int(number)) for commit, number in json.loads(table.properties.get(PAST_COMMITS, "[]"))]
    known = {commit for commit, _ in found}
    return [*(pair for pair in past if pair[0] not in known), *reversed(found)]
