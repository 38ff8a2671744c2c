"""Rows of a batch against the whole log: new, known already, or contradicting. A key is unique per application."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from pyiceberg.expressions import And, BooleanExpression, In
from pyiceberg.table import Table

from continual.errors import BatchError
from continual.stores.key_runs import Keys
from continual.stores.log_read import DAY, is_in, judge, on_days, repeated
from continual.stores.log_schema import conform, target_schema
from continual.stores.row_hash import key_hash, row_hash

#: Up to so many keys are pushed into the scan, where bounds of files may spare reading them.
PUSHED = 200


def split_new(stored: Table | None, keys: Keys, table: pa.Table) -> tuple[pa.Table, int, pa.Table]:
    """New rows, number of rows already in the log or repeated, and rows that contradict, whatever their day.

    keys: the index of `stored`. Only rows whose key's hash is in it, or twice in `table`, are compared by real keys.

    Raises
    ------
    BatchError: a column does not fit.
    """
    rows = conform(table, target_schema("predictions", stored.schema() if stored else None), open_ended=True)
    rows = rows.set_column(rows.column_names.index("row_hash"), "row_hash", row_hash(rows))
    hashes = key_hash(rows.column("record_key"))
    found, doubtful = keys.find(hashes), repeated(hashes)
    doubtful[found.query] = True
    if not doubtful.any():
        return rows, 0, rows.slice(0, 0)
    compared = rows.filter(pa.array(doubtful)).select(["record_key", "row_hash"]).to_pandas()
    is_new, conflict = judge(compared, _stored(stored, compared["record_key"], found.event_time // DAY))
    new, contradicts = ~doubtful, np.zeros_like(doubtful)
    new[doubtful], contradicts[doubtful] = is_new, conflict
    identical = len(new) - int(new.sum()) - int(conflict.sum())
    return rows.filter(pa.array(new)), identical, rows.filter(pa.array(contradicts))


def _stored(
    stored: Table | None, keys: pd.Series[str], days: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> pd.DataFrame:
    """record_key and row_hash of these keys on these days."""
    names = ("record_key", "row_hash")
    if stored is None or not len(days):
        return pd.DataFrame({name: pd.Series(dtype="str") for name in names})
    where: BooleanExpression = on_days("event_time", days)
    if len(keys) <= PUSHED:
        where = And(where, In("record_key", keys.tolist()))
    rows: pd.DataFrame = stored.scan(where, selected_fields=names).to_arrow().to_pandas()
    return rows[is_in(rows["record_key"], keys)]


def only_new(stored: Table | None, keys: Keys, table: pa.Table) -> pa.Table:
    """The new rows.

    Raises
    ------
    BatchError: some contradict the log or each other.
    """
    new, _, conflicts = split_new(stored, keys, table)
    if conflicts.num_rows:
        some = conflicts.column("record_key").slice(0, 3).to_pylist()
        raise BatchError(
            "A record key must keep its content: predictions are append-only.",
            f"{conflicts.num_rows} rows contradict the log or each other, for example {', '.join(some)}.",
            "set these rows aside (split_new names them) and append the others.",
        )
    return new
