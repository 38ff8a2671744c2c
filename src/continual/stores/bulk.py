"""Many new rows of a table at once, from columns: what a row at a time through SQLAlchemy takes minutes for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def insert_new(connection: Connection, table: Table, columns: Mapping[str, Any], n: int) -> None:
    """Insert n rows; those whose primary key exists stay as they are. columns: name -> (n,) list as the driver takes
    it (text, numbers, None), or one value of the column's own type for all rows. Columns left out get their default.

    SQLite: one prepared statement. PostgreSQL: COPY into a temporary table, then one INSERT. JSON comes as text.
    """
    if not n:
        return
    rows = zip(*_bound(connection, table, columns, n), strict=True)
    if connection.dialect.name == "sqlite":
        _sqlite(connection, table, list(columns), rows)
    else:
        _postgresql(connection, table, list(columns), rows)


def _bound(connection: Connection, table: Table, columns: Mapping[str, Any], n: int) -> Iterator[Any]:
    """Each column as the driver takes it; one value is converted once."""
    for name, values in columns.items():
        if isinstance(values, list):
            yield values
            continue
        convert = table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        yield repeat(convert(values) if convert and values is not None else values, n)


def _sqlite(connection: Connection, table: Table, names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" * len(names))
    cursor: Any = connection.connection.cursor()
    insert = f'INSERT INTO "{table.name}" ({_listed(names)}) VALUES ({marks}) ON CONFLICT DO NOTHING'  # noqa: S608  # nosec B608
    cursor.executemany(insert, rows)
    cursor.close()


def _postgresql(connection: Connection, table: Table, names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    cursor: Any = connection.connection.cursor()
    listed, staged = _listed(names), f"staged_{table.name}"
    cursor.execute(
        f'CREATE TEMPORARY TABLE IF NOT EXISTS "{staged}" (LIKE "{table.name}" INCLUDING DEFAULTS) ON COMMIT DROP'
    )
    cursor.execute(f'TRUNCATE "{staged}"')
    with cursor.copy(f'COPY "{staged}" ({listed}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)
    insert = f'INSERT INTO "{table.name}" ({listed}) SELECT {listed} FROM "{staged}" ON CONFLICT DO NOTHING'  # noqa: S608  # nosec B608
    cursor.execute(insert)
    cursor.close()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
