"""A database that is only read, and what goes wrong with it, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.errors import BatchError
from continual.sources.base import SourceUnavailable

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection
    from sqlalchemy.exc import DBAPIError


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """One read-only transaction that sees one state of the database; the session's time zone is UTC.

    Raises
    ------
    BatchError: no URL, or no driver for it. SourceUnavailable: the database does not answer.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, DBAPIError
    from sqlalchemy.pool import NullPool

    parsed = _parsed(url)
    try:
        engine = create_engine(parsed, poolclass=NullPool)
    except (ImportError, ArgumentError) as error:
        remedy = "install it: for PostgreSQL pip install 'continual[postgres]'."
        raise BatchError(f"A driver of {parsed.drivername} must be installed.", f"{error}.", remedy) from error
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise _unreachable(parsed, error) from error
    with connection:
        _only_read(connection)
        yield connection


def _parsed(url: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the text may hold a password
        raise BatchError(
            "The database's URL must be one of SQLAlchemy.",
            "a text that is none.",
            "write it as postgresql://user:password@host/database, special characters as %XX.",
        ) from None
    if parsed.drivername.startswith("sqlite") and parsed.database and not Path(parsed.database).is_file():
        raise _unreachable(parsed, FileNotFoundError(f"{parsed.database} is no file"))
    return parsed


def _only_read(connection: Connection) -> None:
    name = connection.dialect.name
    if name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")  # its driver would begin only at a write
    elif name == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")


def refused(connection: Connection, what: str, error: DBAPIError) -> BatchError | SourceUnavailable:
    """What the database said about a statement, without the statement."""
    if error.connection_invalidated:
        return _unreachable(connection.engine.url, error)
    return BatchError(
        f"{what} must be readable with the columns of the policy.",
        f"{_first_line(error)}.",
        "correct source in the policy (names are taken as they are written), or grant SELECT.",
    )


def no_column(name: str, there: Sequence[str], stream: str) -> BatchError:
    near = difflib.get_close_matches(name, there, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return BatchError(
        f"The rows of {stream} must have the column {name!r}.",
        f"columns {', '.join(there)}.",
        f"{hint}Map it under source.{stream}.columns, or give it under constants.",
    )


def no_instants(name: str, value: Any) -> BatchError:
    naive = hasattr(value, "tzinfo")
    return BatchError(
        f"The watermark {name!r} must hold instants with a time zone." if naive else f"{name!r} must hold instants.",
        f"{str(value)[:60]!r} ({type(value).__name__}).",
        "set source.naive: utc if they are UTC, else convert them in source.query or a view."
        if naive
        else "name another column as watermark, or convert it to instants in source.query or a view.",
    )


def _unreachable(url: URL, error: Exception) -> SourceUnavailable:
    return SourceUnavailable(
        "The database must answer.",
        f"{url.render_as_string(hide_password=True)}: {_first_line(error)}.",
        "check that it runs, the URL and the network, then run again.",
    )


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0][:300]
