"""On SQLite a savepoint starts a write transaction.

Python's sqlite3 does not open a transaction before SAVEPOINT: the first read inside it takes a snapshot, the first
write then fails at once with 'database is locked' when any other process wrote meanwhile, whatever the timeout. Airflow
creates the runs of a backfill in savepoints; when one fails it deletes those the scheduler works on already, and the
scheduler ends. With the write lock taken first, the others wait for milliseconds.
"""

from __future__ import annotations

from typing import Any


def wait_for_the_write_lock() -> None:
    """Install it for every engine of this process; doing so twice is harmless."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "savepoint", _begin):
        event.listen(Engine, "savepoint", _begin)


def _begin(connection: Any, name: str | None) -> None:
    if connection.dialect.name == "sqlite" and not connection.connection.driver_connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
