"""The label queue: who has which row before them, what was answered, what the answers make together.

The state of a request is a function of its answers and of `closed`, so that answers may come late, twice and in any
order. A lease is a row with an end: that of an annotator who went away counts for nothing from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.labelling import Answer, Resolution, State, Use, resolve
from continual.core.window import utc
from continual.stores.clock import Clock, wall_clock

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import ColumnElement, Connection

    from continual.stores.database import Database

#: Rows of a draw that nobody is asked about.
SILENT = (State.UNCHOSEN, State.REPEATED)
#: States in which somebody may still be asked.
WAITING = (State.OPEN, State.DISPUTED)
#: SQLite bounds the parameters of one statement.
SOME = 500


@dataclass(frozen=True)
class Held:
    """A row that an annotator has before them until `expires_at` (wall clock)."""

    key: str
    use: Use
    needed: int
    asked_at: datetime
    expires_at: datetime


class LabelQueue:
    """The queue of one application. tolerance: numbers this close are one answer."""

    def __init__(self, db: Database, app: str, tolerance: float = 0.0, clock: Clock = wall_clock) -> None:
        self.db, self.app, self.tolerance, self._clock = db, app, tolerance, clock

    # --- leases ---

    def lease(self, annotator: str, count: int, ttl: timedelta) -> list[Held]:
        """Up to `count` rows for this person until now + ttl: those they hold already, then disputed ones, then those
        that lack a second answer, then the rest by priority. Nobody gets a row twice, or one that enough people hold.
        """
        from continual.stores.rows import upsert
        from continual.stores.tables import label_lease

        until = self._clock() + ttl
        with self.db.write() as connection:
            self.db.serialise(connection, f"labels {self.app}")
            found = connection.execute(self._free(annotator).limit(count)).mappings().all()
            rows = [{"app": self.app, "key": r["key"], "annotator": annotator, "expires_at": until} for r in found]
            upsert(connection, label_lease, rows)
        return [Held(r["key"], Use(r["use"]), r["needed"], r["asked_at"], until) for r in found]

    def _free(self, annotator: str) -> Any:
        from sqlalchemy import and_, case, exists, func, select

        from continual.stores.tables import label_answer, label_lease
        from continual.stores.tables import label_request as table

        alive = and_(label_lease.c.app == self.app, label_lease.c.key == table.c.key)
        alive = and_(alive, label_lease.c.expires_at > self._clock())
        others = select(func.count()).where(alive, label_lease.c.annotator != annotator).scalar_subquery()
        held = exists().where(alive, label_lease.c.annotator == annotator)
        mine = (
            label_answer.c.app == self.app,
            label_answer.c.key == table.c.key,
            label_answer.c.annotator == annotator,
        )
        disputed = table.c.state == State.DISPUTED
        wanted = case((disputed, table.c.votes + 1), else_=table.c.needed + table.c.opinions)
        query = select(table.c.key, table.c.use, table.c.needed, table.c.asked_at)
        query = query.where(*self._waiting(), ~exists().where(*mine), table.c.votes + others < wanted)
        first = (case((held, 0), else_=1), case((disputed, 0), else_=1), table.c.votes.desc())
        return query.order_by(*first, table.c.priority.desc(), table.c.key)

    def _waiting(self) -> tuple[ColumnElement[bool], ...]:
        from continual.stores.tables import label_request as table

        return (table.c.app == self.app, table.c.state.in_(WAITING), table.c.closed.is_(None))

    def release(self, annotator: str, keys: Sequence[str]) -> None:
        """Give rows back before their lease ends."""
        from continual.stores.tables import label_lease as table

        with self.db.write() as connection:
            for some in _parts(keys):
                where = (table.c.app == self.app, table.c.annotator == annotator, table.c.key.in_(some))
                connection.execute(table.delete().where(*where))

    # --- answers ---

    def record(self, answers: Sequence[Answer]) -> list[Answer]:
        """Keep answers and settle their rows; returns those whose key nobody asked about, which are not kept.

        The same answer again changes nothing.
        """
        from continual.stores.rows import upsert
        from continual.stores.tables import label_answer

        with self.db.write() as connection:
            self.db.serialise(connection, f"labels {self.app}")
            asked = self._asked(connection, [a.key for a in answers])
            known = [a for a in answers if a.key in asked]
            for some in _parts([self._row(a) for a in known]):
                upsert(connection, label_answer, some, keep_first=True)
            self._settle(connection, sorted({a.key for a in known}))
            self._drop_leases(connection, known)
        return [a for a in answers if a.key not in asked]

    def _row(self, answer: Answer) -> dict[str, Any]:
        return {
            "app": self.app,
            "id": answer.id,
            "key": answer.key,
            "annotator": answer.annotator,
            "value": answer.value,
            "answered_at": utc(answer.answered_at),
            "via": answer.via,
            "decides": int(answer.decides),
            "recorded_at": self._clock(),
        }

    def _asked(self, connection: Connection, keys: Sequence[str]) -> set[str]:
        from continual.stores.tables import label_request as table

        found: set[str] = set()
        for some in _parts(sorted(set(keys))):
            query = table.select().with_only_columns(table.c.key)
            query = query.where(table.c.app == self.app, table.c.state.not_in(SILENT), table.c.key.in_(some))
            found.update(connection.execute(query).scalars())
        return found

    def _drop_leases(self, connection: Connection, answers: Sequence[Answer]) -> None:
        from continual.stores.tables import label_lease as table

        for name in {a.annotator for a in answers}:
            for some in _parts([a.key for a in answers if a.annotator == name]):
                where = (table.c.app == self.app, table.c.annotator == name, table.c.key.in_(some))
                connection.execute(table.delete().where(*where))

    def _settle(self, connection: Connection, keys: Sequence[str]) -> None:
        """State, votes and value of every request for these keys, from all their answers."""
        for some in _parts(keys):
            needed, answers = self._needed(connection, some), self._answers(connection, some)
            for key in some:
                self._update(connection, key, resolve(answers.get(key, []), needed[key], self.tolerance))

    def _update(self, connection: Connection, key: str, found: Resolution) -> None:
        from sqlalchemy import func

        from continual.stores.tables import label_request as table

        state: Any = found.state.value
        if found.state is State.OPEN:
            state = func.coalesce(table.c.closed, State.OPEN.value)
        values = {"state": state, "votes": found.votes, "value": found.value, "known_at": found.known_at}
        where = (table.c.app == self.app, table.c.key == key, table.c.state.not_in(SILENT))
        connection.execute(table.update().where(*where).values(**values))

    def _needed(self, connection: Connection, keys: Sequence[str]) -> dict[str, int]:
        from sqlalchemy import func, select

        from continual.stores.tables import label_request as table

        where = (table.c.app == self.app, table.c.key.in_(keys), table.c.state.not_in(SILENT))
        query = select(table.c.key, func.max(table.c.needed + table.c.opinions)).where(*where).group_by(table.c.key)
        return {str(key): int(n) for key, n in connection.execute(query)}

    def _answers(self, connection: Connection, keys: Sequence[str]) -> dict[str, list[Answer]]:
        from continual.stores.tables import label_answer as table

        out: dict[str, list[Answer]] = {}
        query = table.select().where(table.c.app == self.app, table.c.key.in_(keys))
        for r in connection.execute(query).mappings():
            found = Answer(r["key"], r["annotator"], r["value"], r["answered_at"], r["via"], bool(r["decides"]))
            out.setdefault(r["key"], []).append(found)
        return out

    # --- ends ---

    def expire(self, as_of: datetime) -> int:
        """Ask nobody any more about rows whose deadline is over; returns how many are left without a label by it."""
        from continual.stores.tables import label_request as table

        return self._close("expired", table.c.deadline <= utc(as_of))

    def cancel(self, keys: Sequence[str]) -> int:
        """Call rows off; an answer that comes all the same counts."""
        from continual.stores.tables import label_request as table

        return sum(self._close("cancelled", table.c.key.in_(some)) for some in _parts(keys))

    def _close(self, how: str, where: ColumnElement[bool]) -> int:
        from sqlalchemy import case

        from continual.stores.tables import label_request as table

        every = (table.c.app == self.app, table.c.closed.is_(None), table.c.state.not_in(SILENT), where)
        state = case((table.c.state == State.OPEN, how), else_=table.c.state)
        with self.db.write() as connection:
            self.db.serialise(connection, f"labels {self.app}")
            waiting = table.select().with_only_columns(table.c.key).where(*every, table.c.state == State.OPEN)
            count = len(connection.execute(waiting).all())
            connection.execute(table.update().where(*every).values(closed=how, state=state))
        return count

    def second_opinion(self, keys: Sequence[str]) -> int:
        """Ask one more person about rows that have their label; returns how many are open again by it. The label in
        the log stands until the answers make another."""
        from continual.stores.tables import label_request as table

        asked = 0
        with self.db.write() as connection:
            self.db.serialise(connection, f"labels {self.app}")
            for some in _parts(keys):
                where = (table.c.app == self.app, table.c.key.in_(some), table.c.state == State.ANSWERED)
                more = (
                    table.update()
                    .where(*where)
                    .values(opinions=table.c.votes + 1 - table.c.needed, closed=None, deadline=None)
                )
                asked += connection.execute(more).rowcount
                self._settle(connection, sorted(self._needed(connection, some)))
        return asked

    # --- the log ---

    def unwritten(self) -> pd.DataFrame:
        """Rows whose label is not in the log as it is now: key, value, known_at, use; one a key, in order of key."""
        from sqlalchemy import or_

        from continual.stores.rows import frame
        from continual.stores.tables import label_request as table

        query = table.select().with_only_columns(table.c.key, table.c.value, table.c.known_at, table.c.use)
        changed = or_(table.c.written.is_(None), table.c.written != table.c.value)
        where = (table.c.app == self.app, table.c.state == State.ANSWERED, table.c.value.is_not(None), changed)
        with self.db.read() as connection:
            found = frame(connection, query.where(*where).order_by(table.c.key, table.c.use.desc()))
        return found.drop_duplicates("key").reset_index(drop=True)

    def mark_written(self, keys: Sequence[str], values: Sequence[float]) -> None:
        """These labels are in the log."""
        from continual.stores.tables import label_request as table

        with self.db.write() as connection:
            for key, value in zip(keys, values, strict=True):
                where = (table.c.app == self.app, table.c.key == key, table.c.state.not_in(SILENT))
                connection.execute(table.update().where(*where).values(written=value))


def _parts(items: Sequence[Any]) -> list[list[Any]]:
    return [list(items[i : i + SOME]) for i in range(0, len(items), SOME)]
