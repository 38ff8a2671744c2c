"""Pure steps between the log's tables and what its readers get."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import And, BooleanExpression, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual

from continual.core.window import Window, utc


def instant(value: datetime) -> str:
    return utc(value).isoformat(timespec="microseconds")


def within(column: str, window: Window) -> BooleanExpression:
    return And(GreaterThanOrEqual(column, instant(window.start)), LessThan(column, instant(window.end)))


def known_by(as_of: datetime) -> BooleanExpression:
    return LessThanOrEqual("known_at", instant(as_of))


def known_after(since: datetime) -> BooleanExpression:
    return GreaterThan("known_at", instant(since))


def split(incoming: pa.Table, stored: pd.DataFrame) -> tuple[pa.Table, int, pa.Table]:
    """New rows, number of rows that say what is already known, and rows that contradict.

    incoming: with record_key and row_hash. stored: record_key (unique), row_hash. A key that comes with two
    contents in `incoming` contradicts itself: all its rows are conflicts, none is guessed to be right.
    """
    rows = incoming.select(["record_key", "row_hash"]).to_pandas()
    before = rows["record_key"].map(stored.set_index("record_key")["row_hash"])
    contents = rows.drop_duplicates().groupby("record_key").size()
    conflict = (before.notna() & (before != rows["row_hash"])) | (rows["record_key"].map(contents) > 1)
    new = ~conflict & before.isna() & ~rows.duplicated("record_key")
    identical = len(rows) - int(new.sum()) - int(conflict.sum())
    return incoming.filter(_mask(new)), identical, incoming.filter(_mask(conflict))


def _mask(keep: pd.Series[bool]) -> pa.Array:
    return pa.array(keep.to_numpy(dtype=bool))


def touched_days(event_time: pa.ChunkedArray) -> Window | None:
    """From the first to the last instant, in whole UTC days; None without rows."""
    if len(event_time) == 0:
        return None
    ends = pc.min_max(event_time).as_py()
    first, last = pd.Timestamp(ends["min"]).floor("D"), pd.Timestamp(ends["max"]).floor("D")
    return Window(first.to_pydatetime(), (last + pd.Timedelta(days=1)).to_pydatetime())


def resolve(labels: pd.DataFrame) -> pd.DataFrame:
    """One row per key: the latest known_at; ties: the first source in alphabetical order, then the smallest value.

    Adds n_conflicts: how many other values were ever given for the key among these rows.
    """
    order = labels.sort_values(
        ["record_key", "known_at", "source", "value", "batch_id"], ascending=[True, False, True, True, True]
    )
    chosen = order.drop_duplicates("record_key").reset_index(drop=True)
    values = labels.drop_duplicates(["record_key", "value"]).groupby("record_key").size()
    return chosen.assign(n_conflicts=chosen["record_key"].map(values).astype("int64") - 1)
