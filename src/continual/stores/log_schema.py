"""The shape of the log's tables, and how a batch is brought into it or refused."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg import types as it
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, IdentityTransform, Transform

from continual.errors import BatchError, StoreError

INSTANT = pa.timestamp("us", tz="UTC")


def _need(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


PREDICTIONS = pa.schema(
    [
        _need("record_key", pa.string()),
        _need("event_time", INSTANT),
        _need("known_at", INSTANT),
        pa.field("model_version", pa.string()),
        pa.field("prediction", pa.float64()),
        pa.field("batch_id", pa.string()),
        pa.field("row_hash", pa.string()),
    ]
)
LABELS = pa.schema(
    [
        _need("record_key", pa.string()),
        _need("value", pa.float64()),
        pa.field("source", pa.string()),
        _need("known_at", INSTANT),
        pa.field("batch_id", pa.string()),
        pa.field("event_time", INSTANT),  # of the prediction; null: none was logged yet when the label came
    ]
)
SCORES = pa.schema(
    [
        _need("record_key", pa.string()),
        _need("event_time", INSTANT),
        _need("known_at", INSTANT),
        _need("model_version", pa.string()),
        pa.field("prediction", pa.float64()),
    ]
)
QUARANTINE = pa.schema(
    [
        _need("item_id", pa.string()),
        _need("batch_id", pa.string()),
        _need("stream", pa.string()),
        _need("row_json", pa.string()),
        pa.field("reasons", pa.string()),
        _need("known_at", INSTANT),
    ]
)
#: table name -> (fixed columns, what names of other columns begin with or None, partition column and transform)
TABLES: dict[str, tuple[pa.Schema, str | None, tuple[str, Transform]]] = {
    "predictions": (PREDICTIONS, "", ("event_time", DayTransform())),
    "labels": (LABELS, None, ("known_at", DayTransform())),
    "scores": (SCORES, "p_", ("event_time", DayTransform())),
    "quarantine": (QUARANTINE, None, ("stream", IdentityTransform())),
}
_ICEBERG: dict[pa.DataType, it.IcebergType] = {
    pa.int64(): it.LongType(),
    pa.float64(): it.DoubleType(),
    pa.string(): it.StringType(),
    pa.bool_(): it.BooleanType(),
    pa.date32(): it.DateType(),
    INSTANT: it.TimestamptzType(),
    pa.timestamp("us"): it.TimestampType(),
}


def iceberg_schema(schema: pa.Schema) -> Schema:
    """Field ids count from 1 in the order of the columns."""
    fields = [
        it.NestedField(number, field.name, _ICEBERG[field.type], required=not field.nullable)
        for number, field in enumerate(schema, start=1)
    ]
    return Schema(*fields)


def arrow_schema(schema: Schema) -> pa.Schema:
    """The reverse of `iceberg_schema`.

    Raises
    ------
    StoreError: another tool added a column of a type that does not exist here.
    """
    arrow = {iceberg: kind for kind, iceberg in _ICEBERG.items()}
    foreign = [f"{f.name} ({f.field_type})" for f in schema.fields if f.field_type not in arrow]
    if foreign:
        raise StoreError(
            "The log's columns must have types that continual writes.",
            f"{', '.join(foreign)}, made by another tool.",
            "drop these columns from the Iceberg table, or give them type long, double, string, boolean or date.",
        )
    return pa.schema([pa.field(f.name, arrow[f.field_type], nullable=not f.required) for f in schema.fields])


def target_schema(name: str, stored: Schema | None) -> pa.Schema:
    """Columns that a batch of this table must have: the stored ones, and fixed ones a table from before lacks."""
    fixed = TABLES[name][0]
    if stored is None:
        return fixed
    found = arrow_schema(stored)
    return pa.schema([*found, *(field for field in fixed if field.name not in found.names)])


def partition(name: str, schema: Schema) -> PartitionSpec:
    column, transform = TABLES[name][2]
    field = schema.find_field(column)
    return PartitionSpec(PartitionField(field.field_id, 1000, transform, f"{column}_part"))


def conform(table: pa.Table, stored: pa.Schema, open_ended: bool | str | None) -> pa.Table:
    """`table` in the stored columns and types; columns it lacks become null, new ones follow at the end.

    Numbers are widened to 64 bits, categories become text, NaN becomes null, and a lossless cast to the stored
    type is made (whole numbers to double and back). open_ended: whether there may be new columns; text: those whose
    name begins with it.

    Raises
    ------
    BatchError: a column is missing, has nulls where none may be, has a type that does not fit, or is not allowed.
    """
    names = table.column_names
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BatchError("Column names must be unique.", f"{', '.join(twice)} twice.", "rename one at the source.")
    columns = {name: _normal(name, table.column(name)) for name in names}
    fields, arrays = list(stored), [_fit(field, columns.pop(field.name, None), table.num_rows) for field in stored]
    added = {name: column for name, column in columns.items() if not pa.types.is_null(column.type)}
    foreign = [name for name in added if not _allowed(name, open_ended)]
    if foreign:
        raise BatchError(
            f"Only the columns {', '.join(stored.names)} belong here.", f"also {', '.join(foreign)}.", "drop them."
        )
    fields += [pa.field(name, column.type) for name, column in added.items()]
    return pa.Table.from_arrays([*arrays, *added.values()], schema=pa.schema(fields))


def _allowed(name: str, open_ended: bool | str | None) -> bool:
    return name.startswith(open_ended) if isinstance(open_ended, str) else bool(open_ended)


_CASTS: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pa.types.is_integer, pa.int64()),
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_date, pa.date32()),
)


def _normal(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _normal(name, column.cast(kind.value_type))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = column.cast(pa.float64())
        return pc.if_else(pc.is_nan(numbers), None, numbers)
    for is_kind, target in _CASTS:
        if is_kind(kind):
            return column.cast(target)
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", tz="UTC" if kind.tz else None), safe=False)
    if pa.types.is_null(kind) or kind in _ICEBERG:
        return column
    raise BatchError(
        f"Column {name!r} must hold numbers, text, booleans, dates or instants.",
        f"type {kind}.",
        "flatten it into scalar columns, or drop it at the source.",
    )


def _fit(field: pa.Field, column: pa.ChunkedArray | None, rows: int) -> pa.ChunkedArray:
    if column is None and not field.nullable:
        raise BatchError(f"Column {field.name!r} must be there.", "it is missing.", "map it in the source's policy.")
    if column is None:
        return pa.chunked_array([pa.nulls(rows, field.type)])
    if column.type != field.type:
        column = _cast(field, column)
    if column.null_count and not field.nullable:
        raise BatchError(
            f"Column {field.name!r} must have a value in every row.",
            f"{column.null_count} of {rows} rows have none.",
            "set these rows aside (quarantine) or mend the source.",
        )
    return column


def _cast(field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    numeric = {pa.int64(), pa.float64()}
    if pa.types.is_null(column.type) or {column.type, field.type} == numeric:
        try:
            return column.cast(field.type)
        except pa.ArrowInvalid:
            pass  # a fraction or a number too large: falls through to the error
    remedy = f"send it as {field.type} again, or give the new meaning a new column name."
    if pa.types.is_timestamp(field.type) and pa.types.is_timestamp(column.type):
        remedy = "state the time zone of instants at the source (UTC)."
    raise BatchError(f"Column {field.name!r} must be {field.type}, as it is in the log.", f"{column.type}.", remedy)
