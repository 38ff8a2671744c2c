"""Withdrawals in SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from continual.core.window import Window
from continual.core.withdrawal import Scope
from continual.errors import StoreError
from continual.stores.database import open_database
from continual.stores.withdrawals import Effect, WithdrawalStore

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SCOPE = Scope("predictions", Window(START, START + 2 * DAY), "age <= 1", {"old": "age"}, ("b1", "b2"))
EFFECTS = [Effect("day", "2026-01-01", 3), Effect("day", "2026-01-02", 4), Effect("dataset", "d1", 5)]


@pytest.fixture
def store(database_url: str) -> Iterator[WithdrawalStore]:
    db = open_database(database_url)
    db.upgrade()
    yield WithdrawalStore(db, "flights")
    db.close()


def test_what_is_stored_is_what_was_said(store: WithdrawalStore) -> None:
    made = store.add(SCOPE, "why", "ann", START + 9 * DAY, 7, EFFECTS)
    assert store.get(made.id) == made == store.all()[0]
    assert (made.scope, made.as_of, made.seq, made.n_rows) == (SCOPE, START + 9 * DAY, 1, 7)
    assert sorted(store.effects_of(made.id), key=lambda e: e.ref) == EFFECTS
    assert WithdrawalStore(store.db, "other").all() == []


def test_reads_ask_by_instant_and_window(store: WithdrawalStore) -> None:
    made = store.add(SCOPE, "why", "ann", START + 9 * DAY, 7, EFFECTS)
    at = START + 9 * DAY
    assert store.in_force("predictions", at) == [SCOPE] and store.in_force("labels", at) == []
    assert store.in_force("predictions", at - timedelta(microseconds=1)) == []
    assert store.in_force("predictions", at, Window(START + 2 * DAY, START + 3 * DAY)) == []
    store.restore(made.id, "right", "ben", START + 10 * DAY)
    assert store.in_force("predictions", START + 10 * DAY) == []
    assert store.in_force("predictions", at) == [SCOPE]


def test_days_move_when_rows_go_and_when_they_come_back(store: WithdrawalStore) -> None:
    made = store.add(SCOPE, "why", "ann", START + 9 * DAY, 7, EFFECTS)
    days = {date(2026, 1, 1), date(2026, 1, 2)}
    assert store.days(START + 8 * DAY, START + 9 * DAY) == days and store.head() == 1
    assert store.days(START + 9 * DAY, START + 11 * DAY) == set()
    store.restore(made.id, "right", "ben", START + 10 * DAY)
    assert store.days(START + 9 * DAY, START + 11 * DAY) == days
    assert (store.head(), store.days_after(1), store.days_after(2)) == (2, days, set())


def test_marks_are_of_what_is_in_force(store: WithdrawalStore) -> None:
    made = store.add(SCOPE, "why", "ann", START + 9 * DAY, 7, EFFECTS)
    assert {ref: n for ref, [(_, n)] in store.effects("day").items()} == {"2026-01-01": 3, "2026-01-02": 4}
    assert store.effects("dataset", START) == {}
    store.restore(made.id, "right", "ben", START + 10 * DAY)
    assert store.effects("day") == {} and list(store.effects("dataset", START + 9 * DAY)) == ["d1"]


def test_saying_it_again_changes_nothing_until_it_is_restored(store: WithdrawalStore) -> None:
    made = store.add(SCOPE, "why", "ann", START + 9 * DAY, 7, EFFECTS)
    assert store.add(SCOPE, "other", "eve", START + 11 * DAY, 7, EFFECTS) == made
    back = store.restore(made.id[:5], "right", "ben", START + 12 * DAY)
    assert store.restore(made.id, "wrong", "eve", START + 13 * DAY) == back
    again = store.add(SCOPE, "anew", "eve", START + 14 * DAY, 7, EFFECTS)
    assert again.id != made.id and again.seq == 3 and len(store.all()) == 2
    with pytest.raises(StoreError, match="withdrawals"):
        store.get("nobody")
