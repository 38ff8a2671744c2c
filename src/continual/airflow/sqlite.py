"""Airflow's embedded database under several processes: two waits that never end well are not begun.

Nothing here happens on other databases.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit-log")


def repair() -> None:
    """Install both for every engine of this process; doing so twice is harmless."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.orm import Session

    if not event.contains(Engine, "savepoint", _lock_first):
        event.listen(Engine, "savepoint", _lock_first)
        event.listen(Session, "before_flush", _audit_elsewhere)


def _lock_first(connection: Any, name: str | None) -> None:
    """Python's sqlite3 opens no transaction before SAVEPOINT: the first read inside takes a snapshot, and the first
    write fails at once with 'database is locked', whatever the timeout, when any process wrote in between. Airflow
    creates the runs of a backfill in savepoints; when one fails it deletes those the scheduler has begun, and the
    scheduler ends. With the write lock taken first, one waits for the other."""
    if connection.dialect.name == "sqlite" and not connection.connection.driver_connection.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _audit_elsewhere(session: Any, *_: Any) -> None:
    """The API server writes its audit log inside its event loop. While that waits for the lock, the request that holds
    it cannot end, because ending needs the loop: all stands still until the timeout. A thread may wait."""
    if not _in_event_loop() or session.get_bind().dialect.name != "sqlite":
        return
    for entry in [item for item in session.new if getattr(item, "__tablename__", "") == "log"]:
        session.expunge(entry)
        _writer.submit(_write, entry)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _write(entry: Any) -> None:
    from airflow.utils.session import create_session

    try:
        with create_session(scoped=False) as session:
            session.add(entry)
    except Exception:  # nobody waits for this thread's answer
        logging.getLogger(__name__).exception("an entry of Airflow's audit log was lost")
