"""Rows as a caller has them -> one checked Arrow table; what is wrong is said at once, to the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from continual.errors import BatchError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    #: What `log_predictions` and `log_labels` take.
    Rows: TypeAlias = pd.DataFrame | pa.Table | Sequence[Mapping[str, Any]]

Stream = Literal["predictions", "labels"]
_NEEDED = {
    "predictions": ("record_key", "event_time", "model_version", "prediction"),
    "labels": ("record_key", "value", "source", "known_at"),
}
_NUMBER = {"predictions": "prediction", "labels": "value"}
#: The instant whose UTC day a file is named for.
INSTANT = {"predictions": "event_time", "labels": "known_at"}


def prepared(rows: Rows, stream: Stream, now: datetime, source: str | None = None) -> pa.Table:
    """A copy that later changes of `rows` do not reach: keys and names text, instants UTC in microseconds.

    now: stamped as `known_at` on labels that have none. source: of labels whose rows do not name one.

    Raises
    ------
    BatchError: a column is missing or of the wrong kind, a key or instant is null, an instant has no time zone.
    """
    table = _table(rows)
    if stream == "labels":
        table = _filled(table, "known_at", now)
        table = _filled(table, "source", source) if source is not None else table
    missing = [name for name in _NEEDED[stream] if name not in table.column_names]
    if missing:
        raise _wrong(f"{stream} need the columns {', '.join(_NEEDED[stream])}", f"no {', '.join(missing)}", "add them")
    for name in [n for n in ("record_key", "model_version", "source") if n in table.column_names]:
        table = _set(table, name, _text(name, table.column(name)))
    for name in [n for n in ("event_time", "known_at") if n in table.column_names]:
        table = _set(table, name, _instants(name, table.column(name)))
    _check(table, stream)
    return table


def none_of(rows: Any) -> bool:
    """Whether there is no row at all: nothing to log, and no columns to miss."""
    return hasattr(rows, "__len__") and len(rows) == 0


def _table(rows: Any) -> pa.Table:
    import pyarrow as pa

    try:
        if isinstance(rows, pa.Table):
            table = rows
        elif hasattr(rows, "columns"):
            table = _from_frame(rows)
        else:
            _no_naive({name: [row.get(name) for row in rows] for name in INSTANT.values()})
            names = dict.fromkeys(name for row in rows for name in row)
            table = pa.table({name: [row.get(name) for row in rows] for name in names})
    except (pa.ArrowException, AttributeError, TypeError) as error:
        must = "rows are a DataFrame, a pyarrow.Table or a list of dicts, one kind of value a column"
        raise _wrong(must, f"{type(rows).__name__}: {str(error)[:300]}", "correct the rows") from error
    _once(table.column_names)
    return _flat(table.replace_schema_metadata(None))


def _from_frame(frame: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    _once([str(name) for name in frame.columns])
    _no_naive({str(name): frame[name] for name in frame.columns if str(frame[name].dtype) == "object"})
    return pa.Table.from_pandas(frame.copy(), preserve_index=False)


def _once(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise _wrong("column names are unique", f"{', '.join(names)}", "rename one")


def _no_naive(columns: Mapping[str, Any]) -> None:
    """Arrow would read naive instants beside aware ones as UTC."""
    for name, values in columns.items():
        naive = next((v for v in values if isinstance(v, datetime) and v.tzinfo is None and str(v) != "NaT"), None)
        if naive is not None:
            raise _naive(name, naive)


def _flat(table: pa.Table) -> pa.Table:
    """Categories become their values; what a log has no type for is refused."""
    import pyarrow as pa

    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if kind != field.type:
            table = _set(table, field.name, table.column(field.name).cast(kind))
        if not _scalar(kind):
            raise _wrong(
                "columns hold numbers, text, booleans or instants", f"{field.name}: {kind}", "flatten or drop it"
            )
    return table


def _scalar(kind: pa.DataType) -> bool:
    import pyarrow as pa

    t = pa.types
    checks = (t.is_integer, t.is_floating, t.is_decimal, t.is_boolean, t.is_timestamp, t.is_date, t.is_null)
    return any(check(kind) for check in checks) or _is_text(kind)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _filled(table: pa.Table, name: str, value: Any) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = pa.timestamp("us", tz="UTC") if isinstance(value, datetime) else pa.string()
    if name not in table.column_names or pa.types.is_null(table.column(name).type):
        return _set(table, name, pa.repeat(pa.scalar(value, kind), table.num_rows))
    column = table.column(name)
    if column.null_count == 0:
        return table
    ready = _instants(name, column) if isinstance(value, datetime) else _text(name, column)
    return _set(table, name, pc.fill_null(ready, pa.scalar(value, kind)))


def _set(table: pa.Table, name: str, column: Any) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)


def _text(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_integer(column.type) or pa.types.is_null(column.type) or _is_text(column.type):
        return column.cast(pa.string())
    raise _wrong(f"{name} is text", f"{column.type}", "write it as text; keys of fractions or instants are ambiguous")


def _instants(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if _is_text(column.type):
        column = pa.chunked_array([pa.array([_parsed(name, text) for text in column.to_pylist()])])
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        raise _naive(name, column.drop_null()[0].as_py() if column.null_count < len(column) else None)
    if not (pa.types.is_timestamp(column.type) or pa.types.is_null(column.type)):
        raise _wrong(
            f"{name} is an instant", f"{column.type}", "send datetimes with a time zone, or ISO text with an offset"
        )
    return column.cast(pa.timestamp("us", tz="UTC"), safe=False)


def _parsed(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise _wrong(
            f"{name} is an instant", f"{text[:60]!r}", "send datetimes with a time zone, or ISO text with an offset"
        ) from error
    if found.tzinfo is None:
        raise _naive(name, found)
    return found.astimezone(UTC)


def _check(table: pa.Table, stream: Stream) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    key, when = table.column("record_key"), INSTANT[stream]
    blank = table.num_rows - pc.sum(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(key)), 0), min_count=0).as_py()
    if blank:
        raise _wrong("every row has a record_key", f"{blank:,} of {table.num_rows:,} rows have none", "set it")
    if table.column(when).null_count:
        got = f"{table.column(when).null_count:,} of {table.num_rows:,} rows have none"
        raise _wrong(f"every row has {when}", got, "set it")
    number = table.column(_NUMBER[stream]).type
    if not (
        pa.types.is_floating(number)
        or pa.types.is_integer(number)
        or pa.types.is_decimal(number)
        or pa.types.is_null(number)
    ):
        raise _wrong(f"{_NUMBER[stream]} is a number", f"{number}", "send the number itself")


def _naive(name: str, value: Any) -> BatchError:
    return _wrong(
        f"{name} has a time zone", f"{value} without one", "use datetime.now(UTC), or say the zone: a guess shifts days"
    )


def _wrong(must: str, got: str, remedy: str) -> BatchError:
    return BatchError(f"Rows must be such that {must}.", f"{got}.", f"{remedy}; none of these rows was logged.")
