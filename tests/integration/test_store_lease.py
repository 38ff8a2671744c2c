"""One writer per application: the lease under contention, expiry and a killed holder."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from continual.errors import LeaseHeld, PromotionRefused
from continual.stores.database import Database, open_database
from continual.stores.lease import lease
from continual.stores.tables import lock

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def db(database_url: str) -> Database:
    db = open_database(database_url)
    db.upgrade()
    return db


def test_s32_a_second_run_is_told_who_holds_the_lease(db: Database) -> None:
    with lease(db, "flights", "run-1", MINUTE, "7", now=Clock()):
        with (
            pytest.raises(LeaseHeld, match=r"run-2 wants.*run-1 holds it until 2026-01-01 12:01:00Z"),
            lease(db, "flights", "run-2", MINUTE, "7", now=Clock()),
        ):
            pass
        with lease(db, "bikes", "run-2", MINUTE, None, now=Clock()) as other:
            assert other.token == 1
    with lease(db, "flights", "run-2", MINUTE, "7", now=Clock()) as second:
        assert second.token == 2


def test_s32_an_expired_lease_is_taken_over_and_the_old_holder_notices(db: Database) -> None:
    clock = Clock()
    with lease(db, "flights", "run-1", MINUTE, "7", now=clock) as slow:
        clock.time += MINUTE
        with lease(db, "flights", "run-2", MINUTE, "7", now=clock) as second:
            assert second.token == slow.token + 1
            with pytest.raises(LeaseHeld, match="run-2"):
                slow.confirm("7")
            second.confirm("7")


def test_s32_the_old_holders_release_does_not_free_the_new_ones_lease(db: Database) -> None:
    clock = Clock()
    with lease(db, "flights", "run-1", MINUTE, "7", now=clock):
        clock.time += MINUTE
        entered = lease(db, "flights", "run-2", MINUTE, "7", now=clock)
        entered.__enter__()
    with pytest.raises(LeaseHeld, match="run-2 holds"), lease(db, "flights", "run-3", MINUTE, "7", now=clock):
        pass
    entered.__exit__(None, None, None)


def test_renewing_moves_the_expiry(db: Database) -> None:
    clock = Clock()
    with lease(db, "flights", "run-1", MINUTE, None, now=clock) as held:
        clock.time += MINUTE / 2
        held.renew()
        assert held.expires_at == NOON + 1.5 * MINUTE
        clock.time = NOON + MINUTE
        with pytest.raises(LeaseHeld), lease(db, "flights", "run-2", MINUTE, None, now=clock):
            pass


def test_s33_a_champion_that_moved_meanwhile_refuses_the_swap(db: Database) -> None:
    with lease(db, "flights", "run-1", MINUTE, "7") as held:
        held.confirm("7")
        with pytest.raises(PromotionRefused, match=r"still be 7.*Got: 8"):
            held.confirm("8")


def test_an_error_inside_frees_the_lease(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), lease(db, "flights", "run-1", MINUTE, "7"):
        raise ZeroDivisionError
    with db.read() as connection:
        assert connection.execute(lock.select()).mappings().one()["holder"] is None


def _compete(url: str, folder: Path, holder: str, rounds: int) -> None:
    db, inside, count = open_database(url), folder / "inside", folder / "count"
    for _ in range(rounds):
        while True:
            try:
                with lease(db, "flights", holder, MINUTE, "7") as held:
                    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # FileExistsError: two holders at once
                    tokens = count.read_text().split()
                    time.sleep(0.002)
                    count.write_text(" ".join([*tokens, str(held.token)]))
                    inside.unlink()
                break
            except LeaseHeld:
                time.sleep(0.005)


def _compete_in_threads(url: str, folder: Path, name: str, rounds: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda thread: _compete(url, folder, f"{name}-{thread}", rounds), range(2)))


def test_s32_eight_competitors_hold_it_one_at_a_time_and_none_is_lost(
    db: Database,
    database_url: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "count").write_text("")
    context = multiprocessing.get_context("spawn")
    arguments = [(database_url, tmp_path, f"p{number}", 4) for number in range(4)]
    processes = [context.Process(target=_compete_in_threads, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert [int(token) for token in (tmp_path / "count").read_text().split()] == list(range(1, 33))


def _hold_forever(url: str, entered: Path) -> None:
    with lease(open_database(url), "flights", "victim", timedelta(seconds=3), "7"):
        entered.touch()
        time.sleep(60)


def test_s59_a_killed_holder_blocks_only_until_its_lease_runs_out(
    db: Database,
    database_url: str,
    tmp_path: Path,
) -> None:
    entered = tmp_path / "entered"
    process = multiprocessing.get_context("spawn").Process(target=_hold_forever, args=(database_url, entered))
    process.start()
    while not entered.exists():
        time.sleep(0.02)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(10)
    with pytest.raises(LeaseHeld, match="victim"), lease(db, "flights", "heir", MINUTE, "7"):
        pass
    in_four_seconds = datetime.now(UTC) + timedelta(seconds=4)
    with lease(db, "flights", "heir", MINUTE, "7", now=lambda: in_four_seconds) as held:
        assert held.token == 2
