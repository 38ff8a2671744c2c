"""A plain table as history, without any deployment: event time, label time, features, label."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.errors import BatchError
from continual.replay.history import History

if TYPE_CHECKING:
    import pandas as pd

    from continual.policy.models import Policy


@dataclass(frozen=True)
class TableColumns:
    """Which columns of a table say what. key: None = the number of the row. label_time: None = as late as the policy's
    `label.lag`. delay: added to the label time."""

    event_time: str
    label: str
    label_time: str | None = None
    key: str | None = None
    delay: timedelta = timedelta(0)


def read_table(path: Path) -> pd.DataFrame:
    """A Parquet or CSV file.

    Raises
    ------
    BatchError: neither.
    """
    import pandas as pd

    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pd.read_csv(path)
    raise BatchError(
        "A table to replay must be a Parquet or CSV file.", f"{path}.", "convert it, or replay a deployment."
    )


def history_of(frame: pd.DataFrame, policy: Policy, columns: TableColumns) -> History:
    """Rows are known when they happen, nothing has served them, and each has at most one label.

    Raises
    ------
    BatchError: a column is missing, a key comes twice, or a label is none the policy knows.
    """
    import pandas as pd

    _check(frame, policy, columns)
    event = _utc(frame[columns.event_time])
    keys = frame[columns.key].astype(str) if columns.key else pd.Series(range(len(frame))).map("{:09d}".format)
    base = {"record_key": keys.to_numpy(), "event_time": event.to_numpy(), "known_at": event.to_numpy()}
    rows = pd.DataFrame(base).assign(event_time=event.to_numpy(), known_at=event.to_numpy())
    rows["model_version"] = pd.array([None] * len(rows), dtype="str")
    for name in policy.label.target.columns:
        rows[name] = float("nan")
    for name in policy.columns:
        rows[name] = _typed(frame[name], name in {*policy.features.numeric, *policy.features.extra}).to_numpy()
    for name in ("event_time", "known_at"):
        rows[name] = pd.to_datetime(rows[name], utc=True).dt.as_unit("us")
    return History.of(rows, _labels(frame, policy, columns, rows))


def _labels(frame: pd.DataFrame, policy: Policy, columns: TableColumns, rows: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    told = _utc(frame[columns.label_time]) if columns.label_time else _utc(frame[columns.event_time]) + policy.label.lag
    value = _value(frame[columns.label], policy)
    made = pd.DataFrame({"record_key": rows["record_key"], "value": value.to_numpy(dtype=float)})
    made["known_at"] = pd.to_datetime((told + columns.delay).to_numpy(), utc=True)
    there = made["value"].notna() & made["known_at"].notna()
    return made[there].assign(source="table", batch_id="table")


def _value(labels: pd.Series[Any], policy: Policy) -> pd.Series[Any]:
    classes = policy.label.classes
    if not classes:
        return labels.astype(float)
    index = labels.astype(str).map({name: float(i) for i, name in enumerate(classes)})
    strange = labels[index.isna() & labels.notna()].astype(str).unique().tolist()
    if strange:
        raise BatchError(
            "Every label must be a class of the policy (label.classes).",
            f"{', '.join(strange[:5])}.",
            f"add them; known: {', '.join(classes)}.",
        )
    return index


def _typed(column: pd.Series[Any], number: bool) -> pd.Series[Any]:
    if number:
        return column.astype(float)
    return column.astype(object).where(column.notna(), None).map(lambda v: v if v is None else str(v)).astype("str")


def _utc(column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.to_datetime(column, utc=True).dt.as_unit("us").dt.tz_localize(None)


def _check(frame: pd.DataFrame, policy: Policy, columns: TableColumns) -> None:
    named = [columns.event_time, columns.label, columns.label_time, columns.key]
    wanted = [*(name for name in named if name), *policy.columns]
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise BatchError(
            "The table must have the columns of the policy, event time and label.",
            f"missing: {', '.join(missing)}.",
            f"it has: {', '.join(map(str, frame.columns))}.",
        )
    if columns.key and frame[columns.key].duplicated().any():
        twice = frame[columns.key][frame[columns.key].duplicated()].astype(str).head(3).tolist()
        raise BatchError("A record key must come once.", f"twice: {', '.join(twice)}.", "leave the key out.")
