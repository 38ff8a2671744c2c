"""Withdrawals: which rows are out of use from which instant on, and what had been made of them before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from continual.core.canonical import digest
from continual.core.window import Window, utc
from continual.core.withdrawal import Scope, Withdrawal
from continual.errors import StoreError

if TYPE_CHECKING:
    from continual.stores.database import Database

Kind = Literal["day", "dataset", "version", "verdict"]
KINDS: tuple[Kind, ...] = ("day", "dataset", "version", "verdict")


@dataclass(frozen=True)
class Effect:
    """Something rests on withdrawn rows. ref: UTC day, dataset id, model version or ledger key of an evaluation.
    n_rows: withdrawn rows in it."""

    kind: Kind
    ref: str
    n_rows: int


class WithdrawalStore:
    """Withdrawals of one application."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def add(
        self, scope: Scope, reason: str, by: str, as_of: datetime, n_rows: int, effects: Sequence[Effect]
    ) -> Withdrawal:
        """Record a withdrawal with what it concerns, all or nothing; asked again for the same rows while it is in
        force, the first one stands."""
        from continual.stores.rows import upsert
        from continual.stores.tables import withdrawal, withdrawal_effect

        with self.db.write() as connection:
            self.db.serialise(connection, f"withdrawals {self.app}")
            known = [_withdrawal(row) for row in connection.execute(self._query()).mappings()]
            standing = next((w for w in known if w.scope == scope and w.restored_as_of is None), None)
            if standing is not None:
                return standing
            made = Withdrawal(
                id=digest([self.app, scope.as_dict(), utc(as_of)])[:12],
                scope=scope,
                reason=reason,
                by=by,
                as_of=utc(as_of),
                seq=_next(known),
                n_rows=n_rows,
            )
            connection.execute(withdrawal.insert().values(**_row(self.app, made)))
            rows = [{"app": self.app, "withdrawal": made.id, **vars(effect)} for effect in effects]
            upsert(connection, withdrawal_effect, rows)
        return made

    def restore(self, withdrawal_id: str, reason: str, by: str, as_of: datetime) -> Withdrawal:
        """The rows are in use again from `as_of` on; asked again, the first answer stands.

        Raises
        ------
        StoreError: there is no such withdrawal.
        """
        from continual.stores.tables import withdrawal as table

        with self.db.write() as connection:
            self.db.serialise(connection, f"withdrawals {self.app}")
            known = [_withdrawal(row) for row in connection.execute(self._query()).mappings()]
            found = _one(self.app, known, withdrawal_id)
            if found.restored_as_of is not None:
                return found
            values = {"restored_as_of": utc(as_of), "restored_by": by, "restored_reason": reason}
            one = (table.c.app == self.app, table.c.id == found.id)
            connection.execute(table.update().where(*one).values(**values, restored_seq=_next(known)))
        return self.get(found.id)

    def all(self) -> list[Withdrawal]:
        """In the order they were recorded."""
        with self.db.read() as connection:
            return [_withdrawal(row) for row in connection.execute(self._query()).mappings()]

    def get(self, withdrawal_id: str) -> Withdrawal:
        """By its id or the beginning of it.

        Raises
        ------
        StoreError: there is none, or several begin so.
        """
        return _one(self.app, self.all(), withdrawal_id)

    def in_force(self, stream: str, as_of: datetime, window: Window | None = None) -> list[Scope]:
        """Rows of the stream that a read as of that instant leaves out; window: only those that can be in it."""
        found = [w.scope for w in self.all() if w.scope.stream == stream and w.in_force(utc(as_of))]
        return [scope for scope in found if window is None or scope.window.overlaps(window)]

    def effects(self, kind: Kind, as_of: datetime | None = None) -> dict[str, list[tuple[Withdrawal, int]]]:
        """ref -> the withdrawals that concern it and how many of its rows. as_of: those in force then; None: now."""
        from continual.stores.tables import withdrawal_effect as table

        query = table.select().where(table.c.app == self.app, table.c.kind == kind)
        known = {w.id: w for w in self.all()}
        with self.db.read() as connection:
            rows = connection.execute(query.order_by(table.c.ref, table.c.withdrawal)).mappings().all()
        out: dict[str, list[tuple[Withdrawal, int]]] = {}
        for row in rows:
            found = known[row["withdrawal"]]
            if found.restored_as_of is None if as_of is None else found.in_force(utc(as_of)):
                out.setdefault(row["ref"], []).append((found, int(row["n_rows"])))
        return out

    def effects_of(self, withdrawal_id: str) -> list[Effect]:
        """What one withdrawal concerned when it was made."""
        from continual.stores.tables import withdrawal_effect as table

        where = (table.c.app == self.app, table.c.withdrawal == withdrawal_id)
        with self.db.read() as connection:
            rows = connection.execute(table.select().where(*where).order_by(table.c.kind, table.c.ref)).mappings()
            return [Effect(row["kind"], row["ref"], int(row["n_rows"])) for row in rows]

    def days(self, since: datetime, as_of: datetime) -> set[date]:
        """UTC days of event time whose rows went or came back in (since, as_of]."""
        first, last = utc(since), utc(as_of)
        return self._days_of([w.id for w in self.all() if any(first < at <= last for at in w.instants)])

    def head(self) -> int:
        """Number of the newest change; 0 before the first."""
        return max((w.last_seq for w in self.all()), default=0)

    def days_after(self, head: int) -> set[date]:
        """UTC days that a change after number `head` concerns."""
        return self._days_of([w.id for w in self.all() if w.last_seq > head])

    def _days_of(self, ids: Sequence[str]) -> set[date]:
        found = [effect for one in ids for effect in self.effects_of(one) if effect.kind == "day"]
        return {date.fromisoformat(effect.ref) for effect in found}

    def _query(self) -> Any:
        from continual.stores.tables import withdrawal as table

        return table.select().where(table.c.app == self.app).order_by(table.c.seq)


def _next(known: Sequence[Withdrawal]) -> int:
    return max((w.last_seq for w in known), default=0) + 1


def _one(app: str, known: Sequence[Withdrawal], wanted: str) -> Withdrawal:
    found = [w for w in known if wanted and w.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    raise StoreError(
        f"A withdrawal of {app} must be named by its id or a beginning of it that no other has.",
        f"{wanted!r}, which {len(found)} withdrawals begin with.",
        "look at `continual data withdrawals`.",
    )


def _row(app: str, made: Withdrawal) -> Mapping[str, Any]:
    scope = made.scope
    return {
        "app": app,
        "id": made.id,
        "stream": scope.stream,
        "window_start": scope.window.start,
        "window_end": scope.window.end,
        "predicate": scope.predicate,
        "projections": dict(scope.projections),
        "batches": None if scope.batches is None else list(scope.batches),
        "reason": made.reason,
        "by": made.by,
        "as_of": made.as_of,
        "seq": made.seq,
        "n_rows": made.n_rows,
    }


def _withdrawal(row: Any) -> Withdrawal:
    batches = row["batches"]
    scope = Scope(
        stream=row["stream"],
        window=Window(row["window_start"], row["window_end"]),
        predicate=row["predicate"],
        projections=row["projections"] or {},
        batches=None if batches is None else tuple(batches),
    )
    names = ("id", "reason", "by", "as_of", "seq", "n_rows")
    back = ("restored_as_of", "restored_by", "restored_reason", "restored_seq")
    return Withdrawal(scope=scope, **{name: row[name] for name in (*names, *back)})
