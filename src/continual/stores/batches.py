"""Which source batches ingest has seen, and the rows it set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.core.window import Window, utc
from continual.errors import StoreError

if TYPE_CHECKING:
    from continual.stores.database import Database


def batch_id(app: str, stream: str, content_hash: str) -> str:
    """The same content of the same stream is the same batch, whatever it is called and whenever it comes."""
    return digest([app, stream, content_hash])[:32]


@dataclass(frozen=True)
class Batch:
    """A source batch. state: appended, quarantined, superseded or duplicate; rows: accepted rows."""

    stream: str
    name: str
    content_hash: str
    state: str
    rows: int
    rows_quarantined: int
    as_of: datetime
    window: Window | None = None
    reason: str | None = None

    def row(self, app: str) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "window"}
        return {
            **values,
            "id": batch_id(app, self.stream, self.content_hash),
            "app": app,
            "as_of": utc(self.as_of),
            "window_start": self.window.start if self.window else None,
            "window_end": self.window.end if self.window else None,
        }


@dataclass(frozen=True)
class QuarantineItem:
    """Rows set aside. state: open, replayed, superseded or discarded; ref: where the rows are."""

    id: str
    batch_id: str
    stream: str
    n_rows: int
    reason: str
    ref: str
    opened_as_of: datetime
    state: str = "open"


class BatchRegistry:
    """Batches and quarantine of one application."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def record(self, batch: Batch) -> str:
        """Store a batch and return its id; recorded again, the newer state stands."""
        self.record_all([batch])
        return batch_id(self.app, batch.stream, batch.content_hash)

    def record_all(self, batches: Sequence[Batch]) -> None:
        """`record` of all of them or of none."""
        from continual.stores.rows import upsert
        from continual.stores.tables import batch as table

        with self.db.write() as connection:
            upsert(connection, table, [batch.row(self.app) for batch in batches])

    def find(self, stream: str, content_hash: str) -> Batch | None:
        """The batch with this content, or None when ingest never finished one."""
        found = self._batches(id=batch_id(self.app, stream, content_hash))
        return found[0] if found else None

    def batches(self, **equal: str) -> list[Batch]:
        """Batches, oldest as_of first; equal: id, stream, name, content_hash or state."""
        return self._batches(**equal)

    def newest(self) -> datetime | None:
        """The newest as_of of any batch; None before the first."""
        from sqlalchemy import func

        from continual.stores.tables import batch as table

        newest = func.max(table.c.as_of, type_=table.c.as_of.type)
        query = table.select().with_only_columns(newest).where(table.c.app == self.app)
        with self.db.read() as connection:
            found: datetime | None = connection.execute(query).scalar_one()
            return found

    def _batches(self, **equal: str) -> list[Batch]:
        from continual.stores.tables import batch as table

        query = table.select().where(table.c.app == self.app, *(table.c[k] == v for k, v in equal.items()))
        with self.db.read() as connection:
            return [_batch(row) for row in connection.execute(query.order_by(table.c.as_of, table.c.id)).mappings()]

    def set_aside(self, items: list[QuarantineItem]) -> None:
        """Open quarantine items; one that exists keeps its state."""
        from continual.stores.rows import upsert
        from continual.stores.tables import quarantine_item

        rows = [{"app": self.app, **vars(item)} for item in items]
        with self.db.write() as connection:
            upsert(connection, quarantine_item, rows, keep_first=True)

    def items(self, **equal: str) -> list[QuarantineItem]:
        """Quarantine items, oldest first; equal: id, batch_id, stream or state."""
        from continual.stores.tables import quarantine_item as table

        names = [field.name for field in fields(QuarantineItem)]
        query = table.select().with_only_columns(*(table.c[name] for name in names))
        query = query.where(table.c.app == self.app, *(table.c[k] == v for k, v in equal.items()))
        with self.db.read() as connection:
            rows = connection.execute(query.order_by(table.c.opened_as_of, table.c.id)).mappings()
            return [QuarantineItem(**row) for row in rows]

    def resolve(self, item_id: str, state: str) -> None:
        """Close an open item as replayed, superseded or discarded; saying the same again is fine.

        Raises
        ------
        StoreError: no such item, or it was closed another way.
        """
        from continual.stores.tables import quarantine_item as table

        one = (table.c.app == self.app, table.c.id == item_id)
        with self.db.write() as connection:
            changed = connection.execute(
                table.update().where(*one, table.c.state.in_(["open", state])).values(state=state)
            )
            if changed.rowcount == 0:
                found = connection.execute(table.select().where(*one)).mappings().first()
                raise StoreError(
                    f"Quarantine item {item_id} must be open to become {state}.",
                    f"it is {found['state']}." if found else "there is no such item.",
                    "look at the open items of this application and name one of them.",
                )


def _batch(row: Any) -> Batch:
    values = {field.name: row[field.name] for field in fields(Batch) if field.name != "window"}
    window = Window(row["window_start"], row["window_end"]) if row["window_start"] else None
    return Batch(**values, window=window)
