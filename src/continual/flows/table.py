"""A user's own table (rows with a label) -> what `continual init` needs to know of it. Guesses are said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.core.duration import spell
from continual.errors import ContinualError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Names people give to these columns; exact, then as part of a name.
TIME_NAMES = ("event_time", "timestamp", "ts", "time", "datetime", "date", "created_at", "asked_at")
KNOWN_NAMES = ("known_at", "label_ts", "label_time", "closed_at", "ended_at", "finished_at")
LABEL_NAMES = ("label", "target", "y", "outcome", "class")
KEY_NAMES = ("record_key", "id", "key", "uuid")
_SAMPLE = 20_000
#: Whole numbers with more values than this are amounts, not classes.
_CLASSES = 20
#: Share of labels that are in when a row counts as matured.
_MATURE = 0.995


#: What a person answers who has no such column.
NONE = "-"
TASKS = ("binary", "multiclass", "regression")


class ColumnMissing(ContinualError):
    """Neither named nor guessed."""


@dataclass(frozen=True)
class Columns:
    """Which column is what. key: None = made from instant and position. known: None = `lag` after the event.
    positive: of a binary label that is text, the value that means 1."""

    time: str
    label: str
    task: str
    key: str | None
    known: str | None
    lag: timedelta
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    classes: tuple[str, ...] = ()
    positive: str | None = None

    def as_dict(self) -> dict[str, Any]:
        lists = {name: list(getattr(self, name)) for name in ("numeric", "categorical", "classes")}
        plain = {name: getattr(self, name) for name in ("time", "label", "task", "key", "known", "positive")}
        return {**plain, **lists, "lag_seconds": self.lag.total_seconds()}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Columns:
        kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
        del kept["lag_seconds"]
        return cls(**kept, lag=timedelta(seconds=value["lag_seconds"]))


def read_table(place: str, table: str | None = None) -> pa.Table:
    """place: a Parquet or CSV file, or the SQLAlchemy URL of a database; then `table` names the table, or is a SELECT.

    Raises
    ------
    ContinualError: it is not there, is no such file, or the database refuses.
    """
    from continual.sources._tabular import parse

    if "://" in place:
        return _from_database(place, table)
    path = Path(place).expanduser()
    if not path.is_file() or path.suffix not in (".parquet", ".csv"):
        raise ContinualError(
            "The table must be a .parquet or .csv file, or a database URL.",
            f"{place}{'' if path.exists() else ' (no such file)'}.",
            "name the file, or a URL such as postgresql+psycopg://host/db with --table.",
        )
    return parse(path.name, path.read_bytes())


def _from_database(url: str, table: str | None) -> pa.Table:
    import pandas as pd
    import pyarrow as pa
    from sqlalchemy import MetaData, Table, create_engine, select, text
    from sqlalchemy.exc import SQLAlchemyError

    if not table:
        raise ContinualError("A database holds many tables.", "none is named.", "add --table NAME, or a SELECT.")
    try:
        engine = create_engine(url)
        chosen = text(table) if table.lstrip().lower().startswith("select") else None
        with engine.connect() as connection:
            query = select(Table(table, MetaData(), autoload_with=engine)) if chosen is None else chosen
            frame = pd.read_sql_query(query, connection)
    except SQLAlchemyError as error:
        raise ContinualError(
            "The database must give the table.", f"{type(error).__name__}: {str(error).splitlines()[0]}.",
            "check URL, name and rights; a driver may have to be installed (continual[postgres]).",
        ) from error  # fmt: skip
    return pa.Table.from_pandas(frame, preserve_index=False)


def guess_columns(table: pa.Table, given: Mapping[str, Any]) -> Columns:
    """What is not in `given` (fields of Columns) is guessed from names, types and values. known, key: NONE = there is
    no such column.

    Raises
    ------
    ColumnMissing: no instant or no label is named, nor can be guessed.
    ContinualError: a named column is not there, or nothing to learn from.
    """
    names = list(table.column_names)
    _check_named(given, names)
    time = given.get("time") or _named(TIME_NAMES, _instants(table))
    label = given.get("label") or _named(LABEL_NAMES, [n for n in names if n != time])
    if time is None or label is None:
        missing, flag = ("instant of the event", "--time") if time is None else ("label", "--label")
        raise ColumnMissing(
            f"The table must have a column with the {missing}.",
            f"columns: {', '.join(names)}.",
            f"name it with {flag}.",
        )
    known = _if_any(given.get("known") or _named(KNOWN_NAMES, [n for n in _instants(table) if n != time]))
    key = _if_any(given.get("key") or _key(table, {time, label, known}))
    task, classes, positive = _task(table, label, given)
    lag = given.get("lag") or (_lag(table, time, known) if known else timedelta(days=1))
    numeric, categorical = _features(table, {time, label, known, key} | set(given.get("drop") or ()))
    if not numeric and not categorical:
        raise ContinualError(
            "The table must have columns to learn from.", f"none besides {time}, {label}, {known} and {key}.",
            "add numbers or names that are known when the model answers.",
        )  # fmt: skip
    return Columns(time, label, task, key, known, lag, numeric, categorical, classes, positive)


def _if_any(name: str | None) -> str | None:
    return None if name == NONE else name


def _check_named(given: Mapping[str, Any], names: list[str]) -> None:
    import difflib

    for option in ("time", "label", "known", "key"):
        wanted = str(given.get(option) or NONE)
        absent = wanted == NONE and (option in ("known", "key") or given.get(option) is None)
        if not absent and wanted not in names:
            near = difflib.get_close_matches(wanted, names, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ContinualError(
                f"--{option} must name a column.", f"{wanted!r}.", f"{hint}There are {', '.join(names)}."
            )


def instants(table: pa.Table, name: str) -> pd.Series[Any]:
    """A column as UTC instants; without a zone it is UTC. NaT where there is none."""
    import pandas as pd

    found: pd.Series[Any] = pd.to_datetime(table.column(name).to_pandas(), utc=True, errors="coerce").dt.as_unit("us")
    return found


def _instants(table: pa.Table) -> list[str]:
    import pandas as pd
    import pyarrow as pa

    found = []
    head = table.slice(0, 200)
    for field in table.schema:
        if pa.types.is_temporal(field.type):
            found.append(field.name)
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            values = head.column(field.name).to_pandas().dropna()
            parsed = pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601")
            found += [field.name] if len(values) and parsed.notna().all() else []
    return found


def _named(wanted: tuple[str, ...], names: list[str]) -> str | None:
    """The first name people use; for instants the first there is."""
    exact = [n for w in wanted for n in names if n.lower() == w]
    return exact[0] if exact else (names[0] if wanted is TIME_NAMES and names else None)


def _key(table: pa.Table, taken: set[str | None]) -> str | None:
    import pyarrow.compute as pc

    for wanted in KEY_NAMES:
        for name in table.column_names:
            hit = name.lower() == wanted or name.lower().endswith(f"_{wanted}")
            if hit and name not in taken and pc.count_distinct(table.column(name)).as_py() == len(table):
                return str(name)
    return None


def _task(table: pa.Table, label: str, given: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str | None]:
    values = table.column(label).to_pandas().dropna()
    distinct = sorted(values.unique().tolist())
    number = values.dtype.kind in "iufb"
    integer = number and bool((values.astype(float) % 1 == 0).all())
    guessed = "binary" if len(distinct) == 2 else "regression" if number else "multiclass"
    task = str(given.get("task") or guessed)
    if task not in TASKS:
        raise ContinualError(f"--task must be {', '.join(TASKS)}.", f"{task!r}.", f"{guessed} fits this label.")
    if len(distinct) < 2:
        raise ContinualError(
            "A label must have at least two values.", f"{label}: {distinct}.", "name another with --label."
        )
    if task == "multiclass" and (len(distinct) > _CLASSES or (number and not integer)):
        raise ContinualError(
            f"A label of classes has at most {_CLASSES} values.", f"{label}: {len(distinct)}.", "use --task regression."
        )
    if task == "regression" and not number:
        raise ContinualError("A label of a regression is a number.", f"{label}: {distinct[:3]}.", "use another --task.")
    if task == "binary" and len(distinct) != 2:
        raise ContinualError("A binary label has two values.", f"{label}: {len(distinct)}.", "use another --task.")
    classes = tuple(str(v) for v in distinct) if task == "multiclass" else ()
    positive = str(given.get("positive") or distinct[-1]) if task == "binary" else None
    return task, classes, positive


def _lag(table: pa.Table, time: str, known: str) -> timedelta:
    """Age by which nearly all labels are in, in whole hours."""
    late = (instants(table, known) - instants(table, time)).dropna()
    early = int((late < timedelta(0)).sum())
    if early:
        raise ContinualError(
            "A label must be known after its event.",
            f"{known} is before {time} in {early} rows.",
            "name the right columns with --time and --known.",
        )
    hours = math.ceil(float(late.dt.total_seconds().quantile(_MATURE)) / 3600)
    return timedelta(hours=max(1, hours))


def _features(table: pa.Table, taken: set[str | None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    import pyarrow as pa

    from continual.sources._inference import infer_schema

    stride = max(1, len(table) // _SAMPLE)
    sample = table.take(pa.array(range(0, len(table), stride)))
    proposed = {name: kind for name, kind, _ in infer_schema(sample) if name not in taken}
    truths = [f.name for f in table.schema if pa.types.is_boolean(f.type) and f.name not in taken]
    numeric = tuple(n for n in table.column_names if proposed.get(n) == "numeric" or n in truths)
    return numeric, tuple(n for n in table.column_names if proposed.get(n) == "categorical")


def describe(columns: Columns) -> list[tuple[str, str]]:
    """What was found, for people: name and value."""
    key = columns.key or "made from instant and position"
    known = columns.known or f"{spell(columns.lag)} after the event"
    task = columns.task + (f" ({columns.positive} = 1)" if columns.positive not in (None, "1", "1.0", "True") else "")
    return [
        ("instant", columns.time), ("label", f"{columns.label}, {task}"), ("label is known", known), ("key", key),
        ("numbers", ", ".join(columns.numeric) or "none"), ("names", ", ".join(columns.categorical) or "none"),
    ]  # fmt: skip
