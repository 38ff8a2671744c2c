"""The Ledger: append-only record of every decision, each row carrying the hash of the one before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.errors import LedgerError
from continual.stores.clock import Clock, wall_clock
from continual.stores.entry import GENESIS, Entry, clean_text, storable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from continual.stores.database import Database


class Ledger:
    """The decisions of one application.

    A truncated tail leaves a valid chain: keep the last hash elsewhere (an MLflow tag, a ticket) to notice that.
    """

    def __init__(self, db: Database, app: str, clock: Clock = wall_clock) -> None:
        self.db, self.app, self._clock = db, app, clock

    def append(
        self,
        kind: str,
        key: str,
        as_of: datetime,
        reason: str,
        evidence: dict[str, Any],
        policy_hash: str,
        run: str | None = None,
    ) -> Entry:
        """Record a decision once. The same key again returns the stored entry; the first one stands.

        evidence: JSON-like; undefined numbers become null. Concurrent appends are put in one order.
        """
        with self.db.write() as connection:
            self.db.serialise(connection, f"ledger {self.app}")
            stored = self._find(connection, clean_text(key))
            if stored is not None:
                return stored
            before = self._newest(connection)
            entry = Entry(
                app=self.app,
                seq=before.seq + 1 if before else 1,
                kind=kind,
                key=clean_text(key),
                as_of=_utc(as_of),
                reason=clean_text(reason),
                evidence=storable(evidence),
                policy_hash=policy_hash,
                run=run,
                recorded_at=_utc(self._clock()),
                prev_hash=before.hash if before else GENESIS,
            ).sealed()
            connection.execute(_table().insert().values(**entry.as_dict()))
            return entry

    def get(self, key: str) -> Entry | None:
        """The entry with this key, or None."""
        with self.db.read() as connection:
            return self._find(connection, clean_text(key))

    def last(self, *kinds: str) -> Entry | None:
        """The newest entry of any of the kinds (of all kinds when none is named), or None."""
        with self.db.read() as connection:
            return self._newest(connection, *kinds)

    def entries(
        self,
        kind: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[Entry]:
        """Entries in the order they were recorded; since: only those with as_of at or after it."""
        table = _table()
        query = self._select()
        query = query.where(table.c.kind == kind) if kind else query
        query = query.where(table.c.as_of >= since) if since else query
        order = table.c.seq.desc() if newest_first else table.c.seq
        with self.db.read() as connection:
            return [Entry(**row) for row in connection.execute(query.order_by(order).limit(limit)).mappings()]

    def recorded_after(self, instant: datetime, kind: str) -> list[Entry]:
        """Entries of a kind that were recorded after `instant` (wall clock), in their order. Reads back only to there,
        however long the ledger is."""
        table = _table()
        query = self._select().where(table.c.kind == kind).order_by(table.c.seq.desc())
        found = []
        with self.db.read() as connection:
            for row in connection.execution_options(yield_per=50).execute(query).mappings():
                entry = Entry(**row)
                if entry.recorded_at <= instant:
                    break
                found.append(entry)
        return found[::-1]

    def verify(self) -> int:
        """Recompute the chain; returns the number of entries.

        Raises
        ------
        LedgerError: names the first sequence number that is missing, altered or out of the chain.
        """
        return self.verify_from(0, GENESIS)[0]

    def verify_from(self, seq: int, prev_hash: str, limit: int | None = None) -> tuple[int, str]:
        """Recompute the chain after entry `seq`, whose hash was `prev_hash`; returns the same of the last entry that
        holds. limit: entries at most.

        Raises
        ------
        LedgerError: as `verify`.
        """
        table = _table()
        query = self._select().where(table.c.seq > seq).order_by(table.c.seq).limit(limit)
        with self.db.read() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query).mappings():
                entry = Entry(**row)
                if entry.seq != seq + 1:
                    raise self._broken(seq + 1, f"entry {seq + 1} is missing")
                if entry.prev_hash != prev_hash:
                    raise self._broken(entry.seq, f"entry {entry.seq} does not follow entry {seq}")
                if entry.hash != entry.computed_hash():
                    raise self._broken(entry.seq, f"the content of entry {entry.seq} ({entry.kind}) was changed")
                seq, prev_hash = entry.seq, entry.hash
        return seq, prev_hash

    def _select(self) -> Select[Any]:
        table = _table()
        query: Select[Any] = table.select().where(table.c.app == self.app)
        return query

    def _find(self, connection: Connection, key: str) -> Entry | None:
        row = connection.execute(self._select().where(_table().c.key == key)).mappings().first()
        return Entry(**row) if row else None

    def _newest(self, connection: Connection, *kinds: str) -> Entry | None:
        table = _table()
        query = self._select().order_by(table.c.seq.desc()).limit(1)
        query = query.where(table.c.kind.in_(kinds)) if kinds else query
        row = connection.execute(query).mappings().first()
        return Entry(**row) if row else None

    def _broken(self, seq: int, got: str) -> LedgerError:
        return LedgerError(
            f"The ledger of {self.app} must be an unbroken hash chain.",
            f"first broken at seq {seq}: {got}.",
            "stop promotions, restore the table `decision` from a backup and find out who wrote to it.",
        )


def _table() -> Any:
    from continual.stores.tables import decision

    return decision


def _utc(instant: datetime) -> datetime:
    from continual.core.window import utc

    return utc(instant)
