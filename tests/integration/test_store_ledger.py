"""The Ledger keeps one chain however many writers there are, and notices any change."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from continual.errors import LedgerError
from continual.stores.database import Database, open_database
from continual.stores.ledger import Ledger
from continual.stores.tables import decision

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]
AS_OF = datetime(2026, 1, 2, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def db(database_url: str) -> Database:
    db = open_database(database_url)
    db.upgrade()
    return db


def _append(ledger: Ledger, key: str, **evidence: Any) -> Any:
    return ledger.append("verdict", key, AS_OF, f"because {key}", evidence, "policy", run="run-1")


def test_an_entry_comes_back_as_it_was_written(db: Database) -> None:
    ledger = Ledger(db, "flights")
    entry = _append(ledger, "k1", gain=0.25, n=3, undefined=float("nan"), day=AS_OF)
    assert ledger.get("k1") == entry
    assert entry.evidence == {"gain": 0.25, "n": 3, "undefined": None, "day": "2026-01-02T00:00:00+00:00"}
    assert (entry.seq, entry.prev_hash, entry.as_of) == (1, "0" * 64, AS_OF)
    assert ledger.get("k2") is None


def test_the_first_entry_of_a_key_stands(db: Database) -> None:
    ledger = Ledger(db, "flights")
    first = _append(ledger, "k1", gain=1)
    assert _append(ledger, "k1", gain=2) == first
    assert len(ledger.entries()) == 1
    assert Ledger(db, "bikes").get("k1") is None


def test_queries(db: Database) -> None:
    ledger = Ledger(db, "flights")
    for number, kind in enumerate(["trigger", "verdict", "promote", "verdict"]):
        ledger.append(kind, f"k{number}", AS_OF + timedelta(days=number), "why", {}, "policy")
    assert [e.key for e in ledger.entries()] == ["k0", "k1", "k2", "k3"]
    assert [e.key for e in ledger.entries(kind="verdict", newest_first=True)] == ["k3", "k1"]
    assert [e.key for e in ledger.entries(since=AS_OF + timedelta(days=1), limit=2)] == ["k1", "k2"]
    last = [ledger.last(), ledger.last("promote", "trigger"), ledger.last("rollback")]
    assert [entry and entry.key for entry in last] == ["k3", "k2", None]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(evidence=st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_any_evidence_verifies_after_a_round_trip(db: Database, evidence: dict[str, Any]) -> None:
    ledger = Ledger(db, "flights")
    entry = ledger.append("verdict", f"k{len(ledger.entries())}", AS_OF, "why", evidence, "policy")
    assert ledger.get(entry.key) == entry
    assert ledger.verify() == entry.seq


def _change(db: Database, statement: Any) -> None:
    with db.write() as connection:
        connection.execute(statement)


TAMPERING: dict[str, tuple[Callable[[], Any], int]] = {
    "reason": (lambda: decision.update().where(decision.c.seq == 2).values(reason="nicer"), 2),
    "evidence": (lambda: decision.update().where(decision.c.seq == 3).values(evidence={"n": 9}), 3),
    "time": (lambda: decision.update().where(decision.c.seq == 4).values(recorded_at=AS_OF), 4),
    "deleted first": (lambda: decision.delete().where(decision.c.seq == 1), 1),
    "deleted middle": (lambda: decision.delete().where(decision.c.seq == 3), 3),
    "rehashed link": (lambda: decision.update().where(decision.c.seq == 3).values(prev_hash="f" * 64), 3),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found_and_the_first_broken_entry_named(db: Database, name: str) -> None:
    ledger = Ledger(db, "flights")
    for number in range(5):
        _append(ledger, f"k{number}", n=number)
    assert ledger.verify() == 5
    statement, seq = TAMPERING[name]
    _change(db, statement())
    with pytest.raises(LedgerError, match=f"first broken at seq {seq}:"):
        ledger.verify()


def _write_many(url: str, writer: int, count: int) -> None:
    ledger = Ledger(open_database(url), "flights")
    for number in range(count):
        _append(ledger, f"own-{writer}-{number}", writer=writer)
        _append(ledger, f"shared-{number}", writer=writer)


def _assert_one_chain(url: str, writers: int, count: int) -> None:
    ledger = Ledger(open_database(url), "flights")
    assert ledger.verify() == writers * count + count
    keys = Counter(entry.key for entry in ledger.entries())
    assert set(keys.values()) == {1}
    assert {key for key in keys if key.startswith("shared")} == {f"shared-{number}" for number in range(count)}


def test_threads_cannot_fork_the_chain(db: Database, database_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda writer: _write_many(database_url, writer, 5), range(8)))
    _assert_one_chain(database_url, 8, 5)


def test_processes_cannot_fork_the_chain(db: Database, database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write_many, args=(database_url, writer, 10)) for writer in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    _assert_one_chain(database_url, 4, 10)
