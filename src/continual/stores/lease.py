"""The lease: one writer per application, whatever the scheduler does.

Airflow's `max_active_runs` does not guarantee one run (apache/airflow#56646, #42093), so the database does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.errors import LeaseHeld, PromotionRefused
from continual.stores.clock import Clock, wall_clock

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

    from continual.stores.database import Database


class Lease:
    """A held lease. token grows with every acquisition: a later holder's writes carry a larger one."""

    def __init__(self, db: Database, app: str, holder: str, ttl: timedelta, champion: str | None, now: Clock) -> None:
        self.db, self.app, self.holder, self.ttl, self.now = db, app, holder, ttl, now
        self.expected_champion = champion
        self.token = 0
        self.expires_at = now()

    def renew(self) -> None:
        """Extend the lease by its ttl from now.

        Raises
        ------
        LeaseHeld: it ran out and another run took it.
        """
        with self._locked() as (connection, row):
            self._must_be_mine(row)
            self._store(connection, self.now() + self.ttl)

    def confirm(self, champion: str | None) -> None:
        """Compare before swapping: call just before moving the alias, with the champion read just now.

        Also renews.

        Raises
        ------
        LeaseHeld: the lease ran out and another run took it.
        PromotionRefused: the champion is not the one this run judged against.
        """
        self.renew()
        if champion != self.expected_champion:
            raise PromotionRefused(
                f"The champion of {self.app} must still be {self.expected_champion or 'none'}.",
                f"{champion or 'none'}.",
                "judge again against the present champion.",
            )

    def _acquire(self) -> None:
        with self._locked() as (connection, row):
            if row is not None and row["holder"] not in (None, self.holder) and row["expires_at"] > self.now():
                raise self._held(row)
            self.token = row["token"] + 1 if row else 1
            self._store(connection, self.now() + self.ttl, insert=row is None)

    def _release(self) -> None:
        with self._locked() as (connection, row):
            if row is not None and row["token"] == self.token:
                connection.execute(_mine(self).values(holder=None, expires_at=self.now()))

    @contextmanager
    def _locked(self) -> Iterator[tuple[Connection, RowMapping | None]]:
        table = _table()
        with self.db.write() as connection:
            self.db.serialise(connection, f"lease {self.app}")
            row = connection.execute(table.select().where(table.c.app == self.app)).mappings().first()
            yield connection, row

    def _store(self, connection: Connection, expires_at: datetime, insert: bool = False) -> None:
        values = {
            "holder": self.holder,
            "expires_at": expires_at,
            "expected_champion": self.expected_champion,
            "token": self.token,
        }
        table = _table()
        statement = table.insert() if insert else table.update().where(table.c.app == self.app)
        connection.execute(statement.values(app=self.app, **values))
        self.expires_at = expires_at

    def _must_be_mine(self, row: RowMapping | None) -> None:
        if row is None or row["token"] != self.token or row["holder"] != self.holder:
            raise self._held(row)

    def _held(self, row: RowMapping | None) -> LeaseHeld:
        holder = row["holder"] if row else None
        until = f" until {row['expires_at']:%Y-%m-%d %H:%M:%S}Z" if row and holder else ""
        return LeaseHeld(
            f"Only one run may change the champion of {self.app} at a time.",
            f"{self.holder} wants the lease, {holder or 'another run'} holds it{until}."
            if holder
            else f"{self.holder} lost the lease: it ran out and was taken.",
            "wait for that run to end or its lease to run out, then clear this task.",
        )


@contextmanager
def lease(
    db: Database,
    app: str,
    holder: str,
    ttl: timedelta,
    expected_champion: str | None,
    now: Clock = wall_clock,
) -> Iterator[Lease]:
    """Hold the application's lease for the duration of the block.

    holder: who acts; the same holder may enter again at once, so that a killed run's retry does not wait for itself
    (the token grows: what is left of the killed one notices). Make it unique per run.
    ttl: after this long without `renew` anybody may take it, so a killed run blocks nobody for longer.
    expected_champion: the champion this run judged against; see `Lease.confirm`. now: wall clock (audit, tests).

    Raises
    ------
    LeaseHeld: names the holder and the expiry.
    """
    held = Lease(db, app, holder, ttl, expected_champion, now)
    held._acquire()
    try:
        yield held
    finally:
        held._release()


def _table() -> Any:
    from continual.stores.tables import lock

    return lock


def _mine(held: Lease) -> Any:
    table = _table()
    return table.update().where(table.c.app == held.app, table.c.token == held.token)
