"""The schema arrives once however many processes start, and migrations and tables agree."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime, timedelta, timezone
from multiprocessing.synchronize import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, inspect, select, text

from continual.errors import StoreError
from continual.stores import tables
from continual.stores.database import open_database
from continual.stores.migrations import VERSION_TABLE

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]
AS_OF = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def _upgrade(url: str) -> None:
    db = open_database(url)
    db.upgrade()
    db.check()


def _upgrade_together(url: str, barrier: Barrier) -> None:
    open_database(url).revision()  # everything is imported before the race
    barrier.wait(60)
    _upgrade(url)


def _differences(url: str, metadata: MetaData) -> list[object]:
    with open_database(url).read() as connection:
        return list(
            compare_metadata(MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}), metadata)
        )


def test_migrations_and_tables_do_not_differ(database_url: str) -> None:
    _upgrade(database_url)
    assert _differences(database_url, tables.metadata) == []
    drifted = MetaData()
    for table in tables.metadata.sorted_tables:
        table.to_metadata(drifted)
    drifted.tables["lock"].append_column(Column("extra", Integer(), comment="x"))
    assert len(_differences(database_url, drifted)) == 1


def test_four_processes_upgrade_at_once(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    processes = [context.Process(target=_upgrade_together, args=(database_url, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    with open_database(database_url).read() as connection:
        assert set(inspect(connection).get_table_names()) == {*tables.metadata.tables, VERSION_TABLE}


def test_check_names_what_to_do(database_url: str) -> None:
    db = open_database(database_url)
    with pytest.raises(StoreError, match=r"revision 0008.*no schema.*continual db upgrade"):
        db.check()
    db.upgrade()
    with db.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"9999.*install the version"):
        db.check()


def test_instants_come_back_aware_and_equal(database_url: str) -> None:
    db = open_database(database_url)
    db.upgrade()
    elsewhere = AS_OF.astimezone(timezone(timedelta(hours=-5)))
    row = {"app": "a", "expires_at": elsewhere, "token": 1}
    with db.write() as connection:
        connection.execute(tables.lock.insert().values(**row))
    with db.read() as connection:
        read = connection.execute(select(tables.lock.c.expires_at)).scalar_one()
    assert read == AS_OF
    assert read.tzinfo is UTC


def test_a_failed_write_leaves_nothing(database_url: str) -> None:
    db = open_database(database_url)
    db.upgrade()
    row = {"app": "a", "expires_at": AS_OF, "token": 1}

    def insert_and_fail() -> None:
        with db.write() as connection:
            connection.execute(tables.lock.insert().values(**row))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        insert_and_fail()
    with db.read() as connection:
        assert connection.execute(select(tables.lock)).all() == []


def test_a_database_that_is_down_says_so(tmp_path: object) -> None:
    db = open_database(f"postgresql://somebody:secret@/nowhere?host={tmp_path}")
    with pytest.raises(StoreError, match="must answer") as caught, db.read():
        pass
    assert "secret" not in str(caught.value)


def test_a_forked_child_does_not_use_its_parents_connection(new_postgres: object) -> None:
    db = open_database(new_postgres())  # type: ignore[operator]
    db.upgrade()
    backend = text("SELECT pg_backend_pid()")
    with db.read() as connection:
        mine = connection.execute(backend).scalar_one()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()

    def child() -> None:
        with db.read() as connection:
            queue.put(connection.execute(backend).scalar_one())

    process = context.Process(target=child)
    process.start()
    theirs = queue.get(timeout=30)
    process.join(30)
    with db.read() as connection:
        assert connection.execute(backend).scalar_one() == mine
    assert theirs != mine
