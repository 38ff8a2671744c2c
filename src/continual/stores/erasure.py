"""Which days' numbers lost rows to an erasure or to retention, and what else refers to such rows. Never the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from continual.core.canonical import digest
from continual.core.window import utc

if TYPE_CHECKING:
    from continual.stores.database import Database

Kind = Literal["erase", "retention"]


@dataclass(frozen=True)
class Erasure:
    """Rows of one UTC day that went. n_rows: predictions; 0 = only labels or scores."""

    id: str
    day: date
    n_rows: int
    reason: str
    as_of: datetime
    kind: Kind


class ErasureStore:
    """Erasures of one application."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def record(self, request: str, days: Mapping[date, int], reason: str, as_of: datetime, kind: Kind) -> None:
        """Once for each request and day; the first record stands."""
        from continual.stores.rows import upsert
        from continual.stores.tables import erasure

        rows = [
            {
                "id": digest([self.app, request, day.isoformat()])[:32],
                "app": self.app,
                "day": day,
                "n_rows": n,
                "reason": reason,
                "as_of": utc(as_of),
                "kind": kind,
            }
            for day, n in days.items()
        ]
        with self.db.write() as connection:
            upsert(connection, erasure, rows, keep_first=True)

    def read(self, first: date | None = None, last: date | None = None) -> list[Erasure]:
        """Erasures of the days from `first` to `last` (both inclusive), in order of day and as_of."""
        from continual.stores.tables import erasure as table

        query = table.select().where(table.c.app == self.app)
        query = query.where(table.c.day >= first) if first else query
        query = query.where(table.c.day <= last) if last else query
        names = [field.name for field in fields(Erasure)]
        with self.db.read() as connection:
            rows = connection.execute(query.order_by(table.c.day, table.c.as_of, table.c.id)).mappings().all()
        return [Erasure(**{name: row[name] for name in names}) for row in rows]

    def shrink_items(self, left: Mapping[str, int]) -> None:
        """Quarantine items that lost rows: item -> rows it still has; an open one without rows is discarded, and a
        batch that was refused whole counts the rows it still has."""
        from continual.stores.tables import batch, quarantine_item

        with self.db.write() as connection:
            for item, n in left.items():
                one = (quarantine_item.c.app == self.app, quarantine_item.c.id == item)
                old = connection.execute(quarantine_item.select().where(*one)).mappings().first()
                if old is None or old["n_rows"] == n:
                    continue
                state = "discarded" if n == 0 and old["state"] == "open" else old["state"]
                whole = (batch.c.id == old["batch_id"], batch.c.state == "quarantined")
                same = batch.c.rows_quarantined == old["n_rows"]
                connection.execute(batch.update().where(*whole, same).values(rows_quarantined=n))
                connection.execute(quarantine_item.update().where(*one).values(n_rows=n, state=state))
