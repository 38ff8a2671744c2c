"""The evaluation store's database: SQLite to start with, PostgreSQL in production, one behaviour."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from continual.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine


class Database:
    """An engine with explicit read and write transactions and a schema that knows its revision."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def name(self) -> str:
        """URL without the password, for messages."""
        return self.engine.url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent read transaction.

        Raises
        ------
        StoreError: the database does not answer.
        """
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction: commits at the end, rolls back on any exception.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE), waiting up to 30 s.

        Raises
        ------
        StoreError: the database does not answer or stays locked.
        """
        with self._transaction(write=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, write: bool) -> Iterator[Connection]:
        from sqlalchemy.exc import OperationalError

        try:
            with self.engine.connect().execution_options(continual_write=write) as connection, connection.begin():
                yield connection
        except OperationalError as error:
            raise StoreError(
                "The evaluation store must answer.",
                f"{error.orig} from {self.name}.",
                "check that the database runs, can be written and is not held by a stuck process; then clear the task.",
            ) from error

    def serialise(self, connection: Connection, name: str) -> None:
        """Until the end of this write transaction nobody else runs a section of this name.

        SQLite has one writer anyway; PostgreSQL takes an advisory lock.
        """
        if self.is_sqlite:
            return
        from sqlalchemy import text

        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})

    def revision(self) -> str | None:
        """Revision of the schema in the database; None before the first upgrade."""
        with self.read() as connection:
            return _revision(connection)

    def upgrade(self) -> None:
        """Bring the schema to head; does nothing when it is there. Several processes may call it at once."""
        if self.revision() == _head():
            return
        from alembic import command

        with self.write() as connection:
            self.serialise(connection, "continual schema")
            command.upgrade(_config(connection), "head")

    def check(self) -> None:
        """Refuse a schema this version of the program was not written for.

        Raises
        ------
        StoreError: the revision is not head.
        """
        found, head = self.revision(), _head()
        if found != head:
            raise StoreError(
                f"The schema of the evaluation store must be at revision {head}.",
                f"{found or 'no schema'} in {self.name}.",
                "run `continual db upgrade` with this version installed."
                if found is None or found < head
                else "install the version of continual that wrote this schema.",
            )

    def close(self) -> None:
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Open `sqlite:///<path>` or `postgresql://user@host/name`; touches the schema in no way.

    Raises
    ------
    StoreError: the URL names no supported database.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _unsupported("text that is no database URL") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        from continual.stores.engines import postgresql_engine

        return Database(postgresql_engine(parsed.set(drivername="postgresql+psycopg")))
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise _unsupported(parsed.render_as_string(hide_password=True))
    from continual.stores.engines import sqlite_engine

    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return Database(sqlite_engine(parsed))


def _unsupported(got: str) -> StoreError:
    return StoreError(
        "The evaluation store must be a SQLite file or a PostgreSQL database.",
        f"{got}.",
        "set the URL to sqlite:///path/to/file.db or postgresql://user@host/name.",
    )


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "continual:stores/migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _head() -> str:
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    from continual.stores.migrations import VERSION_TABLE

    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
