"""Generations of cells on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from continual.core.window import Window
from continual.stores.cells import Build, CellStore, StoredCells, day_number
from continual.stores.database import Database, open_database

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]
DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = day_number(START)
WEEK = Window(START, START + 7 * DAY)


@pytest.fixture
def db(database_url: str) -> Database:
    db = open_database(database_url)
    db.upgrade()
    return db


def cells(day: int, as_of: datetime, blob: bytes = b"\x00\xff blob", version: str = "live") -> StoredCells:
    return StoredCells(FIRST + day, version, "layout", as_of, blob, 10, 5)


def blobs(store: CellStore, as_of: datetime, window: Window = WEEK, version: str = "live") -> dict[int, bytes]:
    return {one.day - FIRST: one.blob for one in store.read(window, [version], "layout", as_of)[version]}


def test_a_day_is_read_as_it_was_known(db: Database) -> None:
    store = CellStore(db, "flights")
    first, late = cells(0, START + DAY), cells(0, START + 5 * DAY, b"late labels")
    assert store.put([first, late, cells(1, START + 2 * DAY, b"second")]) == 3
    assert blobs(store, START + DAY) == {0: first.blob}
    assert blobs(store, START + 2 * DAY) == {0: first.blob, 1: b"second"}
    assert blobs(store, START + 9 * DAY) == {0: b"late labels", 1: b"second"}
    assert blobs(store, START) == {}
    assert store.read(WEEK, ["live"], "layout", START + DAY)["live"] == [first]
    assert store.generations(WEEK, "live", "layout", START + 3 * DAY) == {
        FIRST: START + DAY,
        FIRST + 1: START + 2 * DAY,
    }


def test_windows_versions_layouts_and_applications_do_not_mix(db: Database) -> None:
    store = CellStore(db, "flights")
    store.put([cells(day, START + 9 * DAY, bytes([day])) for day in range(9)])
    store.put([cells(0, START, b"pair", "1~2"), replace(cells(0, START, b"other"), layout="older")])
    CellStore(db, "bikes").put([cells(3, START, b"bikes")])
    assert sorted(blobs(store, START + 9 * DAY)) == list(range(7))
    half = Window(START + DAY / 2, START + 2.5 * DAY)
    assert sorted(blobs(store, START + 9 * DAY, half)) == [1, 2]
    found = store.read(WEEK, ["1~2", "live", "7"], "layout", START)
    assert {name: [one.blob for one in days] for name, days in found.items()} == {"1~2": [b"pair"], "live": [], "7": []}


def test_a_generation_that_is_built_again_is_replaced(db: Database) -> None:
    store = CellStore(db, "flights")
    store.put([cells(0, START, b"first")])
    store.put([cells(0, START, b"again")])
    assert blobs(store, START) == {0: b"again"}
    assert store.put([]) == 0


def test_builds_are_remembered(db: Database) -> None:
    store = CellStore(db, "flights")
    assert store.latest_build("live", "layout", START) is None
    for days in (0, 2, 2, 1):
        store.built("live", "layout", START + days * DAY, {"labels": str(days)})
    assert store.latest_build("live", "layout", START + 9 * DAY) == Build(START + 2 * DAY, {"labels": "2"})
    assert store.latest_build("live", "layout", START + 1.5 * DAY) == Build(START + DAY, {"labels": "1"})
    assert store.latest_build("live", "layout") == Build(START + 2 * DAY, {"labels": "2"})
    store.built("live", "layout", START + 2 * DAY, {"labels": "3"})
    assert store.latest_build("live", "layout") == Build(START + 2 * DAY, {"labels": "3"})
    assert store.latest_build("live", "another", START + 9 * DAY) is None


def test_pruning_changes_no_answer_from_then_on(db: Database) -> None:
    store = CellStore(db, "flights")
    store.put([cells(0, START + days * DAY, bytes([days])) for days in (1, 2, 5)] + [cells(1, START + DAY, b"only")])
    asked = [START + days * DAY for days in (3, 4, 5, 9)]
    before = [blobs(store, as_of) for as_of in asked]
    assert store.prune(START + 3 * DAY) == 1
    assert [blobs(store, as_of) for as_of in asked] == before
    assert blobs(store, START + DAY) == {1: b"only"}
    assert store.prune(START + 99 * DAY) == 1
    assert blobs(store, START + 99 * DAY) == {0: b"\x05", 1: b"only"}


def test_an_erased_day_is_gone_in_every_generation(db: Database) -> None:
    store = CellStore(db, "flights")
    store.put([cells(day, START + days * DAY) for day in (0, 1) for days in (1, 2)])
    CellStore(db, "bikes").put([cells(0, START + DAY)])
    assert store.delete_days(Window(START, START + DAY)) == 2
    assert sorted(blobs(store, START + 9 * DAY)) == [1]
    assert sorted(blobs(CellStore(db, "bikes"), START + 9 * DAY)) == [0]
