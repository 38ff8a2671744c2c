"""Labels and predictions: which labels concern which rows, and on which days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import And, BooleanExpression, IsNull, Or

from continual.core.window import Window
from continual.stores.key_runs import Keys
from continual.stores.log_read import known_after, known_by, resolve, within
from continual.stores.log_schema import INSTANT
from continual.stores.row_hash import key_hash

#: How long before its prediction's event a label may have been known and still be joined to it, when it was appended
#: before the prediction (bounds the files read).
LABEL_LEAD = timedelta(days=31)
NAMES = ("record_key", "value", "source", "known_at", "batch_id")
TAKEN = ["value", "known_at"]
Positions = npt.NDArray[np.int64]


def with_event_time(labels: pa.Table, keys: Keys) -> pa.Table:
    """Fill `event_time` from the index of the predictions; null where no prediction of the key is logged yet."""
    micros, known = keys.event_time(key_hash(labels.column("record_key")))
    times = pa.array(micros, mask=~known, type=pa.int64()).cast(INSTANT)
    place = labels.column_names.index("event_time")
    return labels.set_column(place, labels.schema.field(place), times)


def of_window(window: Window, as_of: datetime, has_event_time: bool) -> BooleanExpression:
    """Labels that can concern rows of the window: by event time, however early or late they were known; those that
    came before their prediction, and those of logs without the column, from LABEL_LEAD before the window on."""
    early = And(known_after(window.start - LABEL_LEAD - timedelta(microseconds=1)), known_by(as_of))
    if not has_event_time:
        return early
    placed = And(within("event_time", window), known_by(as_of))
    return Or(placed, And(IsNull("event_time"), early))


def told(labels: pd.DataFrame) -> pd.DataFrame:
    """record_key, label and label_known_at of labels with the columns NAMES, one row a key (see `resolve`)."""
    return resolve(labels)[["record_key", "value", "known_at"]].rename(
        columns={"value": "label", "known_at": "label_known_at"}
    )


def merged(rows: pd.DataFrame, labels: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    """`rows` with what is `told` of them; columns: those wanted besides, None = all."""
    found = rows.merge(labels, on="record_key", how="left", validate="many_to_one")
    return found if columns is None else found[[*columns, "label", "label_known_at"]]


def joined(rows: pa.Table, labels: pa.Table) -> pa.Table:
    """`rows` with label and label_known_at, null where no label is known.

    rows: with record_key, unique. labels: columns NAMES, any rows; of several labels of a key the one that `resolve`
    takes. One hash lookup per label; only keys with several labels are sorted.
    """
    at = _positions(labels, rows)
    labels, at = labels.filter(pa.array(at >= 0)), at[at >= 0]
    often = np.bincount(at, minlength=rows.num_rows)[at] > 1
    if often.any():
        chosen = _resolved(labels.filter(pa.array(often)))
        labels = pa.concat_tables([labels.filter(pa.array(~often)).select(TAKEN), chosen.select(TAKEN)])
        at = np.r_[at[~often], _positions(chosen, rows)]
    where = np.full(rows.num_rows, -1)
    where[at] = np.arange(len(at))
    takes = pa.array(where, mask=where < 0)
    for name, column in (("label", "value"), ("label_known_at", "known_at")):
        rows = rows.append_column(name, labels.column(column).take(takes))
    return rows


def _positions(labels: pa.Table, rows: pa.Table) -> Positions:
    """(labels,) row of each label's key, or -1."""
    at = pc.index_in(labels.column("record_key"), value_set=rows.column("record_key"))
    found: Positions = pc.fill_null(at, -1).to_numpy()
    return found


def _resolved(labels: pa.Table) -> pa.Table:
    plain = labels.cast(pa.schema([pa.field(f.name, _plain(f.type), f.nullable) for f in labels.schema]))
    chosen = resolve(plain.to_pandas()).drop(columns="n_conflicts")
    return pa.Table.from_pandas(chosen, schema=plain.schema, preserve_index=False).replace_schema_metadata(None)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
