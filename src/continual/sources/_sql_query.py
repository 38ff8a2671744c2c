"""The statements the `sql` source sends: bound values, quoted names, one read-only transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from continual.core.window import utc
from continual.sources import _sql_identity
from continual.sources._sql_connection import no_column, no_instants, refused, transaction
from continual.sources._sql_rows import table_of
from continual.sources.base import Stream

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, TextClause

    from continual.sources.sql import SqlStream

#: Columns a record must have.
_OWN = {
    "predictions": ("record_key", "event_time", "model_version", "prediction"),
    "labels": ("record_key", "value", "source", "known_at"),
}


def check_select(query: str) -> str:
    """Raises
    ------
    ValueError: not exactly one statement that only reads.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        statements = [s for s in sqlglot.parse(query) if s is not None]
    except SqlglotError as error:
        raise ValueError(f"must be one SELECT; this cannot be read: {str(error)[:200]}; make it a view") from error
    writes = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Command, exp.Into, exp.Lock)
    if len(statements) != 1 or not isinstance(statements[0], exp.Query) or statements[0].find(*writes):
        raise ValueError("must be one SELECT that only reads; make anything else a view or table")
    return query.strip().rstrip(";")


@dataclass
class Reader:
    """One stream of one database, in one transaction. names: in continual -> in the table, of every column read."""

    connection: Connection
    spec: SqlStream
    stream: Stream
    naive: str
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, url: str, spec: SqlStream, stream: Stream, naive: str) -> Iterator[Reader]:
        """Raises
        ------
        BatchError: no such driver, table or column. SourceUnavailable: the database does not answer.
        """
        from sqlalchemy.exc import DBAPIError

        with transaction(url) as connection:
            _sql_identity.prepare(connection)
            try:
                reader = cls(connection, spec, stream, naive)
                reader.names = reader._columns()
                yield reader
            except DBAPIError as error:
                raise refused(connection, spec.table or "the query", error) from error

    def days(self, start: date | None, end: date) -> list[tuple[date, list[Any]]]:
        """(UTC day, what identifies its content) of every day in [start, end) that has rows, in order.

        Raises
        ------
        BatchError: the watermark holds something else than instants.
        """
        from sqlalchemy import func, select

        if self._example is None:
            return []
        day, mark = self._day(), self._column(self.spec.watermark)
        query = select(day.label("day"), func.count(), func.max(mark), *self._sums()).select_from(self._from())
        query = query.where(mark.is_not(None), *self._between(start, end)).group_by(day).order_by(day)
        return [(_date(row[0]), [_plain(v) for v in row[1:]]) for row in self.connection.execute(query)]

    def rows(self, day: date, chunk_rows: int) -> pa.Table:
        """The rows of a day, fetched in chunks.

        Raises
        ------
        BatchError: a column holds values of several kinds.
        """
        from sqlalchemy import select

        columns = [self._column(theirs).label(ours) for ours, theirs in self.names.items()]
        query = select(*columns).select_from(self._from())
        query = query.where(*self._between(day, day + timedelta(days=1)))
        result = self.connection.execute(query, execution_options={"stream_results": True, "yield_per": chunk_rows})
        return table_of(list(self.names), result.partitions(), self.spec.constants, self.naive == "utc")

    def _columns(self) -> dict[str, str]:
        from sqlalchemy import select, text

        there = list(self.connection.execute(select(text("*")).select_from(self._from()).limit(0)).keys())
        own = [self.spec.columns.get(name, name) for name in _OWN[self.stream] if name not in self.spec.constants]
        for name in [self.spec.watermark, *own, *self.spec.columns.values()]:
            if name not in there:
                raise no_column(name, there, self.stream)
        ours = {theirs: name for name, theirs in self.spec.columns.items()}
        kept = {ours.get(name, name): name for name in there if name not in self.spec.exclude or name in own}
        return {name: theirs for name, theirs in kept.items() if name not in self.spec.constants}

    def _quoted(self, name: str) -> str:
        return self.connection.dialect.identifier_preparer.quote_identifier(name)

    def _column(self, name: str) -> Any:
        from sqlalchemy import column
        from sqlalchemy.sql import quoted_name

        return column(quoted_name(name, True))

    def _from(self) -> TextClause:
        from sqlalchemy import text

        if self.spec.table is not None:
            return text(".".join(self._quoted(part) for part in self.spec.table.split(".")))
        return text(f"({self.spec.query}) AS batch".replace(":", r"\:"))  # a colon in it names no parameter

    @cached_property
    def _lite(self) -> bool:
        """SQLite: instants are text, and its `date` knows their offsets."""
        return self.connection.dialect.name == "sqlite"

    @cached_property
    def _example(self) -> datetime | None:
        """One watermark; None when there is none."""
        from sqlalchemy import or_, select

        mark = self._column(self.spec.watermark)
        query = select(mark).select_from(self._from()).where(mark.is_not(None))
        if self._lite:  # every value is looked at: a column there may hold several kinds
            odd = self.connection.scalar(query.where(or_(self._day().is_(None), _typeof(mark) != "text")).limit(1))
            if odd is not None:
                raise no_instants(self.spec.watermark, odd)
        found = self.connection.scalar(query.limit(1))
        value = _parsed(found) if self._lite else found
        if found is not None and not isinstance(value, datetime):
            raise no_instants(self.spec.watermark, found)
        if value is not None and value.tzinfo is None and self.naive == "refuse":
            raise no_instants(self.spec.watermark, value)
        return value

    def _day(self) -> Any:
        from sqlalchemy import Date, cast, func

        mark = self._column(self.spec.watermark)
        return func.date(mark) if self._lite else cast(mark, Date)  # the session's zone is UTC

    def _between(self, start: date | None, end: date) -> list[Any]:
        """The watermark is in [start, end)."""
        if self._lite:
            low, high = [self._day() >= start.isoformat()] if start else [], self._day() < end.isoformat()
            return [*low, high]
        mark, zone = self._column(self.spec.watermark), self._example.tzinfo if self._example else None
        edge = [utc(datetime.combine(day, time()).isoformat() + "+00:00") for day in (start or end, end)]
        first, last = edge if zone else [instant.replace(tzinfo=None) for instant in edge]
        return [*([mark >= first] if start else []), mark < last]

    def _sums(self) -> list[Any]:
        columns = {ours: self._column(theirs) for ours, theirs in self.names.items()}
        return _sql_identity.sums(self.connection.dialect.name, columns)


def _typeof(column: Any) -> Any:
    from sqlalchemy import func

    return func.typeof(column)


def _parsed(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, str)) else str(value)
