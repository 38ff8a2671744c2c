"""What the columns of a first batch look like: a proposal for `features`, to be read by a person."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

Proposed = Literal["numeric", "categorical", "record", "ignore"]
#: Columns of the record itself.
RECORD = frozenset(
    {"record_key", "event_time", "known_at", "model_version", "prediction", "value", "source", "batch_id", "row_hash"}
)
#: A category seen by fewer rows than this on average is closer to a key than to a category.
_ROWS_PER_CATEGORY = 5.0
#: Whole numbers with at most this many values, each seen by many rows, are probably codes.
_CODES = 12


def infer_schema(table: pa.Table, record: Collection[str] = RECORD) -> list[tuple[str, Proposed, str]]:
    """(column, kind, why) of every column, in its order.

    table: (n, columns) the first rows of a source; a few thousand are enough. record: columns of the record itself.
    """
    return [(name, *_proposal(name, table.column(name), record)) for name in table.column_names]


def _proposal(name: str, column: pa.ChunkedArray, record: Collection[str]) -> tuple[Proposed, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if name in record:
        return "record", "a column of the record itself"
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    seen = len(column) - column.null_count
    if seen == 0:
        return "ignore", "no value in these rows"
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return "ignore", f"type {column.type}: flatten it into scalar columns first"
    distinct = pc.count_distinct(column).as_py()
    if distinct == 1:
        return "ignore", "one value in all of these rows"
    if pa.types.is_temporal(column.type):
        return "ignore", f"type {column.type}: derive a number from it (an age, an hour) first"
    return _number(column, seen, distinct) or _category(column, seen, distinct)


def _number(column: pa.ChunkedArray, seen: int, distinct: int) -> tuple[Proposed, str] | None:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) and distinct <= _CODES and seen >= distinct * _ROWS_PER_CATEGORY:
        return (
            "numeric",
            f"whole numbers, {distinct} values: if they are codes, send them as text and make it a category",
        )
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numeric", f"numbers, {distinct:,} different ones in {seen:,} rows"
    return None


def _category(column: pa.ChunkedArray, seen: int, distinct: int) -> tuple[Proposed, str]:
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        return "ignore", "true and false: send it as 0 and 1 (numeric) or as text (categorical)"
    if seen < distinct * _ROWS_PER_CATEGORY and distinct > _CODES:
        return "ignore", f"text, {distinct:,} different values in {seen:,} rows: closer to a key than to a category"
    return "categorical", f"text, {distinct:,} different values in {seen:,} rows"
