"""Small helpers over Core tables that both databases understand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection, Select, Table


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], keep_first: bool = False) -> None:
    """Insert rows; where the primary key exists, overwrite the row, or leave it when `keep_first`."""
    if not rows:
        return
    statement = _insert(connection, table)
    if keep_first:
        connection.execute(statement.on_conflict_do_nothing(), [dict(row) for row in rows])
        return
    keys = [column.name for column in table.primary_key]
    overwrite = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=overwrite), [dict(row) for row in rows]
    )


def _insert(connection: Connection, table: Table) -> Any:
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def frame(connection: Connection, query: Select[Any]) -> pd.DataFrame:
    """The result of a query; instants as tz-aware UTC columns, also when there is no row."""
    import pandas as pd

    from continual.stores.columns import Instant

    result = connection.execute(query)
    data = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    for column in query.selected_columns:
        if isinstance(column.type, Instant):
            data[column.name] = pd.to_datetime(data[column.name], utc=True)
    return data
