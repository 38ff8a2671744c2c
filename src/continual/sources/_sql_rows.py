"""Fetched rows -> one Arrow table, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from continual.errors import BatchError

if TYPE_CHECKING:
    import pyarrow as pa

_NAMES = ("record_key", "model_version", "source")
_INSTANTS = ("event_time", "known_at")


def table_of(
    names: Sequence[str], chunks: Iterable[Sequence[Any]], constants: Mapping[str, str], naive_is_utc: bool
) -> pa.Table:
    """names: of the columns. chunks: lists of rows. Keys and names become text, decimals floats, instants UTC.

    Raises
    ------
    BatchError: a column holds values of several kinds, or of one Arrow has no type for.
    """
    import pyarrow as pa

    tables = [pa.table({n: _array(n, v, naive_is_utc) for n, v in _columns(names, rows)}) for rows in chunks]
    if not tables:
        tables = [pa.table({name: pa.nulls(0) for name in names})]
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise _several(_clashing(tables), error) from error
    for name, value in constants.items():
        whole = whole.append_column(name, pa.repeat(pa.scalar(value), whole.num_rows))
    return whole


def _columns(names: Sequence[str], rows: Sequence[Any]) -> Iterable[tuple[str, Sequence[Any]]]:
    return zip(names, zip(*rows, strict=True), strict=True)


def _array(name: str, values: Sequence[Any], naive_is_utc: bool) -> pa.Array:
    import pyarrow as pa

    try:
        if name in _NAMES:
            return pa.array([None if v is None else str(v) for v in values], pa.string())
        if name in _INSTANTS:
            values = [_instant(v, naive_is_utc) for v in values]
        _one_zone(name, values)
        return pa.array([float(v) if isinstance(v, Decimal) else v for v in values])
    except (pa.ArrowException, ValueError) as error:
        raise _several(name, error) from error


def _instant(value: Any, naive_is_utc: bool) -> Any:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        return found
    if found.tzinfo is None:
        return found.replace(tzinfo=UTC) if naive_is_utc else found
    return found.astimezone(UTC)


def _one_zone(name: str, values: Sequence[Any]) -> None:
    """Arrow would read naive instants beside aware ones as UTC."""
    naive = {value.tzinfo is None for value in values if isinstance(value, datetime)}
    if len(naive) > 1:
        raise ValueError("some instants have a time zone and some have none")


def _clashing(tables: Sequence[pa.Table]) -> str:
    import pyarrow as pa

    for name in tables[0].column_names:
        try:
            pa.unify_schemas([t.select([name]).schema for t in tables], promote_options="permissive")
        except pa.ArrowException:
            return str(name)
    return "a column"


def _several(name: str, error: Exception) -> BatchError:
    return BatchError(
        f"Column {name!r} must hold one kind of value: numbers, text, booleans or instants.",
        f"{str(error)[:300]}.",
        "convert it in source.query or a view, or name it under exclude.",
    )
