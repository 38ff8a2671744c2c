"""The ledger as people browse it: lines without their evidence, found by words, a page at a time by key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.window import utc
from continual.stores.entry import Entry

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from continual.stores.database import Database

#: Lines of a page.
LIMIT = 50


@dataclass(frozen=True)
class Line:
    """A ledger entry without its evidence."""

    seq: int
    kind: str
    key: str
    as_of: datetime
    reason: str
    policy_hash: str
    run: str | None
    recorded_at: datetime
    prev_hash: str
    hash: str


@dataclass(frozen=True)
class Wanted:
    """kinds: any of them, () = all. words: text the reason, key or run must hold. since, until: bounds of as_of.
    before, after: sequence numbers the page ends before or starts after; at most one of them."""

    kinds: tuple[str, ...] = ()
    words: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    after: int | None = None


class LedgerPages:
    """Lines of one application's ledger, newest first."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def page(self, wanted: Wanted, limit: int = LIMIT) -> list[Line]:
        """At most `limit` lines. Reads no further than it must: by key, not by offset."""
        from continual.stores.tables import decision as table

        upwards = wanted.after is not None
        order = table.c.seq if upwards else table.c.seq.desc()
        found = self._lines(_where(wanted), order, limit)
        return found[::-1] if upwards else found

    def newest(self, *kinds: str, as_of: datetime | None = None) -> Line | None:
        """The last recorded line of these kinds (of all when none is named), of those with an instant up to `as_of`."""
        found = self.page(Wanted(kinds, until=as_of), 1)
        return found[0] if found else None

    def of_run(self, run: str) -> list[Line]:
        """What the tasks of a run wrote, oldest first. run: `<dag id> <run id>`."""
        from continual.stores.tables import decision as table

        prefix = f"{run} "
        if self.db.is_sqlite:  # LIKE would not use the index
            inside = [table.c.run >= prefix, table.c.run < f"{run}!"]
        else:
            inside = [table.c.run.startswith(prefix, autoescape=True)]
        return self._lines(inside, table.c.seq, 1000)

    def entry(self, seq: int) -> Entry | None:
        """A whole entry, evidence included."""
        from continual.stores.tables import decision as table

        query = table.select().where(table.c.app == self.app, table.c.seq == seq)
        with self.db.read() as connection:
            row = connection.execute(query).mappings().first()
        return Entry(**row) if row else None

    def keyed(self, keys: Iterable[str]) -> dict[str, Line]:
        """Lines by key, of those keys that are there."""
        from continual.stores.tables import decision as table

        wanted = list(dict.fromkeys(keys))
        found = self._lines([table.c.key.in_(wanted)], table.c.seq, len(wanted)) if wanted else []
        return {line.key: line for line in found}

    def kinds(self) -> dict[str, int]:
        """How many entries there are of each kind, sorted by name."""
        from sqlalchemy import func

        from continual.stores.tables import decision as table

        query = table.select().with_only_columns(table.c.kind, func.count()).where(table.c.app == self.app)
        with self.db.read() as connection:
            return dict(connection.execute(query.group_by(table.c.kind).order_by(table.c.kind)).tuples().all())

    def _lines(self, where: list[ColumnElement[bool]], order: Any, limit: int) -> list[Line]:
        from continual.stores.tables import decision as table

        columns = [table.c[field.name] for field in fields(Line)]
        query = table.select().with_only_columns(*columns).where(table.c.app == self.app, *where)
        with self.db.read() as connection:
            return [Line(**row) for row in connection.execute(query.order_by(order).limit(limit)).mappings()]


def _where(wanted: Wanted) -> list[ColumnElement[bool]]:
    from sqlalchemy import or_

    from continual.stores.tables import decision as table

    where: list[ColumnElement[bool]] = []
    if wanted.kinds:
        where.append(table.c.kind.in_(wanted.kinds))
    if wanted.words:
        held = [table.c[name].icontains(wanted.words, autoescape=True) for name in ("reason", "key", "run")]
        where.append(or_(*held))
    if wanted.since is not None:
        where.append(table.c.as_of >= utc(wanted.since))
    if wanted.until is not None:
        where.append(table.c.as_of <= utc(wanted.until))
    if wanted.before is not None:
        where.append(table.c.seq < wanted.before)
    if wanted.after is not None:
        where.append(table.c.seq > wanted.after)
    return where
