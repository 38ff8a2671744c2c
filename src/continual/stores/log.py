"""PredictionLog: append-only predictions, labels and quarantine in Iceberg tables, read as of an instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import pandas as pd
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo

from continual.core.window import Window
from continual.errors import BatchError, StoreError
from continual.stores.log_commit import LogTable, open_catalog
from continual.stores.log_read import known_after, known_by, resolve, split, touched_days, within
from continual.stores.log_schema import TABLES, arrow_schema, conform
from continual.stores.names import checked_app
from continual.stores.row_hash import row_hash

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

Stream = Literal["predictions", "labels", "quarantine"]
#: How long before its event a label may have been known and still be joined (bounds the partitions read).
LABEL_LEAD = timedelta(days=31)


class PredictionLog:
    """The log of one application; opens its catalog when first used.

    catalog_uri: sqlite:///path, postgresql://..., or a REST catalog. warehouse: folder or object store prefix.
    """

    def __init__(self, catalog_uri: str, warehouse: str, app: str) -> None:
        self.catalog_uri, self.warehouse, self.app = catalog_uri, warehouse, checked_app(app)

    @cached_property
    def _catalog(self) -> Catalog:
        return open_catalog(self.catalog_uri, self.warehouse)

    def _log(self, stream: Stream) -> LogTable:
        return LogTable(self._catalog, self.app, stream)

    def append_predictions(self, table: pa.Table, commit_id: str) -> int:
        """Append rows in one snapshot and return its id; a commit id seen before appends nothing.

        table: record_key, event_time, known_at, model_version, prediction, batch_id and any feature or tag
        columns; row_hash is computed. New columns join the schema. Rows that are already in the log unchanged are
        left out, checked at the instant of the commit.

        Raises
        ------
        BatchError: a column does not fit, or a key is known with other content (use `split_new` first).
        StoreError: the catalog does not accept the commit.
        """
        return self._log("predictions").append(commit_id, lambda stored: self._only_new(stored, table))

    def append_labels(self, table: pa.Table, commit_id: str) -> int:
        """Append labels (record_key, value, source, known_at, batch_id); corrections are simply new rows.

        Raises
        ------
        BatchError, StoreError: as `append_predictions`.
        """
        return self._append("labels", table, commit_id)

    def append_quarantine(self, table: pa.Table, commit_id: str) -> int:
        """Append rows set aside (item_id, batch_id, stream, row_json, reasons, known_at).

        Raises
        ------
        BatchError, StoreError: as `append_predictions`.
        """
        return self._append("quarantine", table, commit_id)

    def _append(self, stream: Stream, table: pa.Table, commit_id: str) -> int:
        return self._log(stream).append(commit_id, lambda stored: _conform(stream, stored, table))

    def split_new(self, table: pa.Table) -> tuple[pa.Table, int, pa.Table]:
        """New rows, number of rows already in the log or repeated, and rows that contradict.

        Compares by record_key and row_hash with the rows of the days that `table` touches, and within `table`.

        Raises
        ------
        BatchError: a column does not fit.
        """
        return self._split(self._log("predictions").load(), table)

    def _split(self, stored: Table | None, table: pa.Table) -> tuple[pa.Table, int, pa.Table]:
        rows = _conform("predictions", stored, table)
        rows = rows.set_column(rows.column_names.index("row_hash"), "row_hash", row_hash(rows))
        days = touched_days(rows.column("event_time"))
        if days is None:
            return rows, 0, rows
        return split(rows, _hashes(stored, days))

    def _only_new(self, stored: Table | None, table: pa.Table) -> pa.Table:
        new, _, conflicts = self._split(stored, table)
        if conflicts.num_rows:
            keys = conflicts.column("record_key").slice(0, 3).to_pylist()
            raise BatchError(
                "A record key must keep its content: predictions are append-only.",
                f"{conflicts.num_rows} rows contradict the log or each other, for example {', '.join(keys)}.",
                "set these rows aside (split_new names them) and append the others.",
            )
        return new

    def existing(self, keys: Sequence[str], window: Window) -> pd.DataFrame:
        """record_key and row_hash of those keys that have a prediction in the window."""
        found = _hashes(self._log("predictions").load(), window)
        return found[found["record_key"].isin(list(keys))].reset_index(drop=True)

    def snapshot_id(self, stream: Stream) -> int | None:
        """Id of the newest snapshot; None before the first append."""
        table = self._log(stream).load()
        snapshot = table.current_snapshot() if table else None
        return snapshot.snapshot_id if snapshot else None

    def read_predictions(
        self,
        window: Window,
        as_of: datetime,
        columns: Sequence[str] | None = None,
        snapshot_id: int | None = None,
    ) -> pd.DataFrame:
        """Rows with event_time in the window that were known by `as_of`, in order of event_time and record_key.

        columns: default all. snapshot_id: read the log as that commit left it.

        Raises
        ------
        StoreError: no such column or snapshot.
        """
        rows = self._scan("predictions", And(within("event_time", window), known_by(as_of)), columns, snapshot_id)
        rows = rows.sort_values(["event_time", "record_key"], ignore_index=True)
        return rows if columns is None else rows[list(columns)]

    def read_labels(self, since: datetime | None, as_of: datetime) -> pd.DataFrame:
        """Labels known after `since` (None: ever) and by `as_of`, one row per record key (see `resolve`).

        Consecutive (since, as_of] neither overlap nor leave a gap. Columns: record_key, value, source, known_at,
        batch_id, n_conflicts.
        """
        known = known_by(as_of) if since is None else And(known_after(since), known_by(as_of))
        return resolve(self._scan("labels", known, None, None))

    def read_labelled(self, window: Window, as_of: datetime, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """`read_predictions` with `label` and `label_known_at`; NaN and NaT where no label was known by `as_of`.

        Labels known more than 31 days before the window's start are not looked for.
        """
        wanted = None if columns is None else list(dict.fromkeys([*columns, "record_key"]))
        rows = self.read_predictions(window, as_of, wanted)
        names = {"value": "label", "known_at": "label_known_at"}
        labels = self.read_labels(window.start - LABEL_LEAD, as_of)[["record_key", *names]].rename(columns=names)
        joined = rows.merge(labels, on="record_key", how="left", validate="many_to_one")
        return joined if columns is None else joined[[*columns, "label", "label_known_at"]]

    def read_quarantine(self, item_id: str | None = None) -> pd.DataFrame:
        """Rows set aside, of one item or of all."""
        wanted: BooleanExpression = AlwaysTrue() if item_id is None else EqualTo("item_id", item_id)
        return self._scan("quarantine", wanted, None, None).sort_values(["item_id", "row_json"], ignore_index=True)

    def _scan(
        self, stream: Stream, rows: BooleanExpression, columns: Sequence[str] | None, snapshot_id: int | None
    ) -> pd.DataFrame:
        table = self._log(stream).load()
        if table is None:
            return _to_pandas(TABLES[stream][0].empty_table())
        schema = table.schema()
        if snapshot_id is not None and table.snapshot_by_id(snapshot_id) is None:
            raise _unreadable(self.app, f"snapshot {snapshot_id} does not exist (expired?)")
        missing = set(columns or ()) - set(schema.column_names)
        if missing:
            raise _unreadable(self.app, f"no column {', '.join(sorted(missing))}")
        fields = ("*",) if columns is None else tuple(dict.fromkeys([*columns, "event_time", "record_key"]))
        return _to_pandas(table.scan(rows, selected_fields=fields, snapshot_id=snapshot_id).to_arrow())


def _conform(stream: Stream, stored: Table | None, table: pa.Table) -> pa.Table:
    fixed, open_ended, _ = TABLES[stream]
    return conform(table, arrow_schema(stored.schema()) if stored else fixed, open_ended)


def _hashes(stored: Table | None, window: Window) -> pd.DataFrame:
    names = ("record_key", "row_hash")
    if stored is None:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in names})
    return _to_pandas(stored.scan(within("event_time", window), selected_fields=names).to_arrow())


def _to_pandas(rows: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas(split_blocks=True)
    return frame


def _unreadable(app: str, got: str) -> StoreError:
    return StoreError(
        f"The prediction log of {app} must have the columns and snapshots that are read.",
        f"{got}.",
        "compare the policy's columns with what the sources deliver.",
    )
