"""PredictionLog: append-only predictions, labels and quarantine in Iceberg tables, read as of an instant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo

from continual.core.window import Window, hull, utc
from continual.stores import log_days, log_known, log_labels
from continual.stores.key_index import KeyIndex
from continual.stores.key_runs import Keys
from continual.stores.log_changed import ChangedDays
from continual.stores.log_commit import LogTable, open_catalog
from continual.stores.log_erase import LogErasure
from continual.stores.log_read import known_by, resolve, to_pandas, unreadable, within
from continual.stores.log_schema import TABLES, conform, target_schema
from continual.stores.log_withdrawn import Withdrawn, columns_for, without
from continual.stores.names import checked_app, index_folder

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from continual.stores.withdrawals import WithdrawalStore

Stream = Literal["predictions", "labels", "scores", "quarantine"]
STREAMS: tuple[Stream, ...] = ("predictions", "labels", "scores", "quarantine")


class PredictionLog:
    """The log of one application; opens its catalog when first used.

    catalog_uri: sqlite:///path, postgresql://..., or a REST catalog. warehouse: folder or object store prefix.
    index: folder of the derived key index (default: beside the warehouse, else in the home). withdrawals: rows to mask.
    """

    def __init__(
        self,
        catalog_uri: str,
        warehouse: str,
        app: str,
        index: Path | None = None,
        withdrawals: WithdrawalStore | None = None,
    ) -> None:
        self.catalog_uri, self.warehouse, self.app = catalog_uri, warehouse, checked_app(app)
        self._withdrawn = Withdrawn(withdrawals)
        self._index = KeyIndex(index or index_folder(catalog_uri, warehouse, app))

    @cached_property
    def _catalog(self) -> Catalog:
        return open_catalog(self.catalog_uri, self.warehouse)

    def _log(self, stream: Stream) -> LogTable:
        return LogTable(self._catalog, self.app, stream)

    def append_predictions(self, table: pa.Table, commit_id: str) -> int:
        """Append rows in one snapshot and return its id; a commit id seen before appends nothing.

        table: record_key, event_time, known_at, model_version, prediction, batch_id and any feature or tag
        columns; row_hash is computed. New columns join the schema. Rows that are already in the log unchanged are
        left out, checked at the instant of the commit; a record key is unique whatever its event time.

        Raises
        ------
        BatchError: a column does not fit, or a key is known with other content (use `split_new` first).
        StoreError: the catalog does not accept the commit.
        """
        return self._log("predictions").append(commit_id, lambda t: log_known.only_new(t, self._index.keys(t), table))

    def append_labels(self, table: pa.Table, commit_id: str) -> int:
        """Append labels (record_key, value, source, known_at, batch_id); corrections are simply new rows.

        `event_time` is filled from the predictions; it stays null when none of the key is logged yet. Raises as
        `append_predictions`."""

        def rows(now: Table | None) -> pa.Table:
            return log_labels.with_event_time(_conform("labels", now, table), self._keys())

        return self._log("labels").append(commit_id, rows)

    def append_scores(self, table: pa.Table, commit_id: str) -> int:
        """Append what a version answers for logged rows: record_key, event_time (of the prediction), known_at,
        model_version, prediction and, for several classes, p_<class>; raises as the others."""
        return self._append("scores", table, commit_id)

    def append_quarantine(self, table: pa.Table, commit_id: str) -> int:
        """Append rows set aside (item_id, batch_id, stream, row_json, reasons, known_at); raises as the others."""
        return self._append("quarantine", table, commit_id)

    def _append(self, stream: Stream, table: pa.Table, commit_id: str) -> int:
        return self._log(stream).append(commit_id, lambda now: _conform(stream, now, table))

    def _keys(self) -> Keys:
        return self._index.keys(self._log("predictions").load())

    def split_new(self, table: pa.Table) -> tuple[pa.Table, int, pa.Table]:
        """New rows, number of rows already in the log or repeated, and rows that contradict, on any day.

        Raises
        ------
        BatchError: a column does not fit.
        """
        stored = self._log("predictions").load()
        return log_known.split_new(stored, self._index.keys(stored), table)

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
        rows = self._visible(window, as_of, columns, snapshot_id)
        ordered = to_pandas(rows).sort_values(["event_time", "record_key"], ignore_index=True)
        return ordered if columns is None else ordered[list(columns)]

    def read_labels(self, since: datetime | None, as_of: datetime) -> pd.DataFrame:
        """Labels known after `since` (None: ever) and by `as_of`, one row per record key (see `resolve`).

        Consecutive (since, as_of] neither overlap nor leave a gap. Columns: record_key, value, source, known_at,
        batch_id, n_conflicts.
        """
        rows = self._scan("labels", log_days.known_between(since, as_of), log_labels.NAMES).select(log_labels.NAMES)
        return resolve(to_pandas(without(rows, self._withdrawn.scopes("labels", as_of))))

    def label_rows(self, as_of: datetime) -> pd.DataFrame:
        """Every label known by `as_of`, corrected ones too: the columns of `read_labels` without n_conflicts."""
        rows = self._scan("labels", known_by(as_of), log_labels.NAMES).select(list(log_labels.NAMES))
        return to_pandas(without(rows, self._withdrawn.scopes("labels", as_of)))

    def read_labelled(
        self,
        window: Window,
        as_of: datetime,
        columns: Sequence[str] | None = None,
        snapshots: Mapping[str, int] | None = None,
    ) -> pd.DataFrame:
        """`read_predictions` with `label` and `label_known_at`; NaN and NaT where no label was known by `as_of`.

        A label that was logged before its prediction is found when it was known at most 31 days before the window.
        snapshots: read these snapshots of predictions and labels.
        """
        return next(self.read_labelled_parts([window], as_of, columns, snapshots))

    def read_labelled_parts(
        self,
        parts: Sequence[Window],
        as_of: datetime,
        columns: Sequence[str] | None = None,
        snapshots: Mapping[str, int] | None = None,
    ) -> Iterator[pd.DataFrame]:
        """`read_labelled` of the window that `parts` make: its labels and one part of its rows are in memory."""
        keyed, at = None if columns is None else list(dict.fromkeys([*columns, "record_key"])), snapshots or {}
        labels = log_labels.told(to_pandas(self._labels(hull(parts), as_of, at=at.get("labels"))))
        for part in parts:
            yield log_labels.merged(self.read_predictions(part, as_of, keyed, at.get("predictions")), labels, columns)

    def read_arrow(
        self, window: Window, as_of: datetime, columns: Sequence[str], *, dictionary: Collection[str] = ()
    ) -> pa.Table:
        """`columns` of the rows of `read_labelled` with label and label_known_at (null: not known), in no order;
        dictionary: text columns to return dictionary-encoded, as Parquet holds them.

        Raises
        ------
        StoreError: no such column.
        """
        rows = self._visible(window, as_of, [*columns, "record_key"], None, tuple(dictionary))
        found = log_labels.joined(rows, self._labels(window, as_of, ("source", "batch_id")))
        return found.select([*columns, "label", "label_known_at"])

    def _labels(
        self, window: Window, as_of: datetime, dictionary: tuple[str, ...] = (), at: int | None = None
    ) -> pa.Table:
        where = log_labels.of_window(window, as_of, self._log("labels").has("event_time"))
        rows = self._scan("labels", where, log_labels.NAMES, at, dictionary).select(list(log_labels.NAMES))
        return without(rows, self._withdrawn.scopes("labels", as_of))

    def _visible(
        self,
        window: Window,
        as_of: datetime,
        columns: Sequence[str] | None,
        snapshot_id: int | None = None,
        dictionary: tuple[str, ...] = (),
    ) -> pa.Table:
        """Predictions of the window known by `as_of`, but those withdrawn by then."""
        where = And(within("event_time", window), known_by(as_of))
        gone = self._withdrawn.scopes("predictions", as_of, window)
        return without(self._scan("predictions", where, columns_for(columns, gone), snapshot_id, dictionary), gone)

    def read_scores(self, window: Window, version: str, as_of: datetime) -> pd.DataFrame:
        """What `version` answers for rows of the window, known by `as_of`; of repeated scorings the latest, in order
        of event_time and record_key."""
        where = And(within("event_time", window), And(known_by(as_of), EqualTo("model_version", version)))
        rows = to_pandas(self._scan("scores", where)).sort_values(["event_time", "record_key", "known_at"])
        return rows.drop_duplicates("record_key", keep="last").reset_index(drop=True)

    def read_all_scores(self, window: Window, as_of: datetime) -> pa.Table:
        """`read_scores` of every version, in no order."""
        rows = self._scan("scores", And(within("event_time", window), known_by(as_of)))
        frame = to_pandas(rows.select(["record_key", "model_version", "known_at"])).sort_values("known_at")
        old = frame.duplicated(["record_key", "model_version"], keep="last").sort_index()
        return rows.filter(pa.array(~old.to_numpy(dtype=bool)))

    def touched_days(self, since: datetime | None, as_of: datetime) -> list[date]:
        """UTC days of predictions known in (since, as_of], of predictions that a label known in it belongs to, and of
        rows that were withdrawn or restored in it."""
        return self._days.touched(since, as_of)

    def logged_days(self, as_of: datetime) -> list[date]:
        """UTC days of predictions known by `as_of`."""
        return self._days.logged(as_of)

    def heads(self) -> dict[str, str]:
        """Newest snapshot of predictions and labels, and number of the newest withdrawal; what has none is absent."""
        return self._days.heads()

    def added_days(self, heads: Mapping[str, str]) -> list[date]:
        """UTC days of predictions that were written, or whose labels were, since `heads` was asked for, whatever
        instant they say they were known at; days of rows that another tool rewrote or that were erased, withdrawn or
        restored, too."""
        return self._days.added(heads)

    @cached_property
    def _days(self) -> ChangedDays:
        return ChangedDays(self._log("predictions"), self._log("labels"), self._index, self._withdrawn)

    def unknown_keys(self, as_of: datetime, older_than: timedelta) -> pd.DataFrame:
        """Keys of labels that are known for `older_than` at `as_of` and still have no prediction that is known by
        then: record_key, known_at (first), n (labels); the oldest first."""
        labels, predictions = self._log("labels").load(), self._log("predictions").load()
        if labels is None:
            return pd.DataFrame({"record_key": [], "known_at": [], "n": []})
        keys = self._index.keys(predictions)
        return log_days.unknown_keys(labels, predictions, keys, as_of, utc(as_of) - older_than)

    def read_quarantine(self, item_id: str | None = None) -> pd.DataFrame:
        """Rows set aside, of one item or of all."""
        wanted: BooleanExpression = AlwaysTrue() if item_id is None else EqualTo("item_id", item_id)
        return to_pandas(self._scan("quarantine", wanted)).sort_values(["item_id", "row_json"], ignore_index=True)

    @property
    def erasure(self) -> LogErasure:
        """Deleting for good: record keys, old days, old snapshots."""
        return LogErasure({name: self._log(name) for name in STREAMS}, self._index)

    def _scan(
        self,
        stream: Stream,
        rows: BooleanExpression,
        columns: Sequence[str] | None = None,
        snapshot_id: int | None = None,
        dictionary: tuple[str, ...] = (),
    ) -> pa.Table:
        table = self._log(stream).load()
        if table is None:
            return TABLES[stream][0].empty_table()
        schema = table.schema()
        if snapshot_id is not None and table.snapshot_by_id(snapshot_id) is None:
            raise unreadable(self.app, f"snapshot {snapshot_id} does not exist (expired?)")
        missing = set(columns or ()) - set(schema.column_names)
        if missing:
            raise unreadable(self.app, f"no column {', '.join(sorted(missing))}")
        order = ("event_time", "record_key") if stream == "predictions" else ()
        fields = ("*",) if columns is None else tuple(dict.fromkeys([*columns, *order]))
        return table.scan(rows, selected_fields=fields, snapshot_id=snapshot_id).to_arrow(dictionary)


def _conform(stream: Stream, stored: Table | None, table: pa.Table) -> pa.Table:
    return conform(table, target_schema(stream, stored.schema() if stored else None), TABLES[stream][1])
