"""Forgetting in the label queue: requests, answers and leases of record keys, or of windows past their retention."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.window import utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from continual.stores.database import Database

#: SQLite bounds the parameters of one statement.
SOME = 500


class LabelErasure:
    """What is deleted of one application's queue. What was asked and spent stays, as numbers, in the ledger."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def find(self, keys: Collection[str]) -> dict[str, int]:
        """Table -> rows that `erase` would delete now."""
        with self.db.read() as connection:
            return {
                name: sum(_count(connection, table, *self._of(table, some)) for some in _parts(keys))
                for name, table in _tables().items()
            }

    def erase(self, keys: Collection[str]) -> None:
        """Delete every request, answer and lease of these record keys. The chances of other rows are their own, so
        that estimates lose the rows and nothing else."""
        with self.db.write() as connection:
            self.db.serialise(connection, f"labels {self.app}")
            for some in _parts(keys):
                for table in _tables().values():
                    connection.execute(table.delete().where(*self._of(table, some)))

    def find_before(self, moment: datetime) -> dict[str, int]:
        """Table -> rows that `expire_before` would delete now."""
        with self.db.read() as connection:
            return {name: _count(connection, t, *self._before(t, moment)) for name, t in _tables().items()}

    def expire_before(self, moment: datetime) -> None:
        """Delete draws whose whole window lies before `moment`, and answers and leases of rows that no other draw is
        about."""
        with self.db.write() as connection:
            self.db.serialise(connection, f"labels {self.app}")
            for table in reversed(_tables().values()):  # answers are found by the requests
                connection.execute(table.delete().where(*self._before(table, moment)))

    def _of(self, table: Table, keys: Sequence[str]) -> tuple[Any, ...]:
        return (table.c.app == self.app, table.c.key.in_(keys))

    def _before(self, table: Table, moment: datetime) -> tuple[Any, ...]:
        from sqlalchemy import select

        from continual.stores.tables import label_request as asked

        old = (asked.c.app == self.app, asked.c.window_end <= utc(moment))
        if table is asked:
            return old
        kept = select(asked.c.key).where(asked.c.app == self.app, asked.c.window_end > utc(moment))
        return (table.c.app == self.app, table.c.key.in_(select(asked.c.key).where(*old)), table.c.key.not_in(kept))


def _tables() -> dict[str, Table]:
    from continual.stores.tables import label_answer, label_lease, label_request

    return {"label requests": label_request, "label answers": label_answer, "label leases": label_lease}


def _count(connection: Connection, table: Table, *where: Any) -> int:
    from sqlalchemy import func, select

    return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())


def _parts(keys: Collection[str]) -> list[list[str]]:
    every = sorted(set(keys))
    return [every[start : start + SOME] for start in range(0, len(every), SOME)]
