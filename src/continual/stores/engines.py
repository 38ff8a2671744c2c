"""Engines of the two supported databases, with the settings that make them safe for several processes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import NullPool

#: Bytes. Cells are blobs of 50 to 600 KB: with SQLite's 4,096 writing them costs twice the CPU, mostly system calls.
PAGE = 65536


def sqlite_engine(url: URL) -> Engine:
    """WAL, 30 s busy timeout, foreign keys; write transactions start with BEGIN IMMEDIATE.

    BEGIN IMMEDIATE because a transaction that reads first and writes later cannot wait for the lock: SQLite
    refuses it at once when another writer came in between.
    """
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 30})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions behind our back
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA busy_timeout=30000")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    # another process may be switching right now, and the mode stays with the file
    with suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA page_size={PAGE}")  # of a new file; later it cannot be changed
        connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("continual_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def postgresql_engine(url: URL) -> Engine:
    """READ COMMITTED, so that what another holder of an advisory lock committed is seen after the wait."""
    engine = create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED")
    event.listen(engine, "connect", _remember_process)
    event.listen(engine, "checkout", _refuse_inherited)
    return engine


def _remember_process(_connection: Any, record: Any) -> None:
    record.info["pid"] = os.getpid()


def _refuse_inherited(_connection: Any, record: Any, proxy: Any) -> None:
    """A forked process must not speak on its parent's socket."""
    if record.info["pid"] != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("connection belongs to another process")
