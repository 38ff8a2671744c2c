"""Pure steps between the log's tables and what its readers get."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import (
    AlwaysFalse,
    And,
    BooleanExpression,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Or,
)

from continual.core.window import Window, utc
from continual.errors import StoreError

Bools = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]
#: Microseconds of a day.
DAY = 86_400_000_000
#: As of all that will ever be known.
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


def to_pandas(rows: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas(split_blocks=True)
    return frame


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

    incoming: with record_key and row_hash. stored: record_key, row_hash. A key that comes with two contents in
    `incoming` contradicts itself: all its rows are conflicts, none is guessed to be right.
    """
    new, conflict = judge(incoming.select(["record_key", "row_hash"]).to_pandas(), stored)
    identical = len(new) - int(new.sum()) - int(conflict.sum())
    return incoming.filter(pa.array(new)), identical, incoming.filter(pa.array(conflict))


def judge(rows: pd.DataFrame, stored: pd.DataFrame) -> tuple[Bools, Bools]:
    """(n,) rows to append, and (n,) rows that contradict; as `split`."""
    known = is_in(rows["record_key"], stored["record_key"])
    # hashes have one length, so key and hash written together are unambiguous
    same = is_in(rows["record_key"] + rows["row_hash"], stored["record_key"] + stored["row_hash"])
    often = rows[rows.duplicated("record_key", keep=False)].drop_duplicates()
    twofold = often["record_key"][often.duplicated("record_key")]
    conflict = (known & ~same) | is_in(rows["record_key"], twofold)
    return ~conflict & ~known & ~rows.duplicated("record_key").to_numpy(dtype=bool), conflict


def is_in(values: pd.Series[str], wanted: pd.Series[str]) -> Bools:
    """(n,) as `isin`, without a detour through Python's strings."""
    found: Bools = pc.is_in(pa.array(values, pa.string()), value_set=pa.array(wanted, pa.string())).to_numpy(False)
    return found


def repeated(hashes: Hashes) -> Bools:
    """(n,) True where the same value is there elsewhere too."""
    order = np.argsort(hashes, kind="stable")
    same = hashes[order][1:] == hashes[order][:-1]
    found = np.zeros(len(hashes), dtype=bool)
    found[order[1:][same]] = True
    found[order[:-1][same]] = True
    return found


def windows(days: npt.NDArray[np.int64]) -> list[Window]:
    """UTC day numbers (any order) as few windows of whole days."""
    distinct = np.unique(days)
    groups = np.split(distinct, np.flatnonzero(np.diff(distinct) > 1) + 1) if len(distinct) else []
    return [Window(_midnight(group[0]), _midnight(group[-1] + 1)) for group in groups]


def on_days(column: str, days: npt.NDArray[np.int64]) -> BooleanExpression:
    return Or(AlwaysFalse(), AlwaysFalse(), *(within(column, window) for window in windows(days)))


def _midnight(day: int) -> datetime:
    return datetime.fromtimestamp(int(day) * 86_400, UTC)


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


def unreadable(app: str, got: str) -> StoreError:
    """What to say of a column or snapshot that is not there."""
    return StoreError(
        f"The prediction log of {app} must have the columns and snapshots that are read.",
        f"{got}.",
        "compare the policy's columns with what the sources deliver.",
    )
