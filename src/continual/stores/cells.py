"""Cells in the database: one blob per day and model version, generations kept, so that the past can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.window import Window, utc

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from continual.stores.database import Database

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StoredCells:
    """One generation of a day. model_version: a version, `live` (as served) or `a~b` (a pair). layout: hash of what
    the cells hold. as_of: only rows and labels known by then are in. blob: cells.block.Block in bytes."""

    day: int
    model_version: str
    layout: str
    as_of: datetime
    blob: bytes
    n_rows: int
    n_labelled: int


@dataclass(frozen=True)
class Build:
    """Cells were complete as of an instant, for the rows in these snapshots of the log."""

    as_of: datetime
    snapshots: Mapping[str, str]


def day_number(instant: datetime) -> int:
    """UTC day number of an instant."""
    return (utc(instant) - EPOCH) // timedelta(days=1)


class CellStore:
    """Cells of one application. Generations are only ever added; `prune` and `delete_days` are the exceptions."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def put(self, cells: Iterable[StoredCells]) -> int:
        """Store all or none; built again as of the same instant, a generation is replaced. Returns the number given."""
        from continual.stores.rows import upsert
        from continual.stores.tables import cell

        rows = [
            {
                "app": self.app,
                "model_version": one.model_version,
                "layout": one.layout,
                "day": one.day,
                "as_of": utc(one.as_of),
                "n_rows": one.n_rows,
                "n_labelled": one.n_labelled,
                "blob": one.blob,
            }
            for one in cells
        ]
        with self.db.write() as connection:
            upsert(connection, cell, rows)
        return len(rows)

    def read(
        self, window: Window, model_versions: Iterable[str], layout: str, as_of: datetime
    ) -> dict[str, list[StoredCells]]:
        """Per version its days in the window, in order: of each the newest generation with as_of <= `as_of`.

        A day counts when its midnight (UTC) is in the window.
        """
        from sqlalchemy import func

        from continual.stores.tables import cell as table

        wanted = list(dict.fromkeys(model_versions))
        key = [table.c.model_version, table.c.day]
        mine = [*self._days(window), table.c.model_version.in_(wanted), table.c.layout == layout]
        newest = func.max(table.c.as_of).label("newest")
        last = table.select().with_only_columns(*key, newest).where(*mine, table.c.as_of <= utc(as_of))
        found = last.group_by(*key).subquery()
        same = [table.c.model_version == found.c.model_version, table.c.day == found.c.day]
        query = table.select().join(found, (same[0] & same[1]) & (table.c.as_of == found.c.newest))
        out: dict[str, list[StoredCells]] = {version: [] for version in wanted}
        with self.db.read() as connection:
            for row in connection.execute(query.where(*mine)):
                out[row.model_version].append(_stored(row))
        # sorted here: a database would copy the blobs to sort them
        return {version: sorted(stored, key=lambda one: one.day) for version, stored in out.items()}

    def generations(self, window: Window, model_version: str, layout: str, as_of: datetime) -> dict[int, datetime]:
        """Day number -> as_of of its newest generation with as_of <= `as_of`, in order; no blob is read."""
        from sqlalchemy import func

        from continual.stores.tables import cell as table

        newest = func.max(table.c.as_of, type_=table.c.as_of.type)
        mine = [table.c.model_version == model_version, table.c.layout == layout, table.c.as_of <= utc(as_of)]
        query = table.select().with_only_columns(table.c.day, newest).where(*self._days(window), *mine)
        with self.db.read() as connection:
            return dict(connection.execute(query.group_by(table.c.day).order_by(table.c.day)).tuples().all())

    def built(self, model_version: str, layout: str, as_of: datetime, snapshots: Mapping[str, str]) -> None:
        """Record that everything known at `as_of` that these snapshots of the log hold is in the cells."""
        from continual.stores.rows import upsert
        from continual.stores.tables import cell_build

        row = {"app": self.app, "model_version": model_version, "layout": layout, "as_of": utc(as_of)}
        with self.db.write() as connection:
            upsert(connection, cell_build, [{**row, "snapshots": dict(snapshots)}])

    def latest_build(self, model_version: str, layout: str, as_of: datetime | None = None) -> Build | None:
        """The newest recorded build at or before `as_of` (None: of all); None: never."""
        from continual.stores.tables import cell_build as table

        query = table.select().where(
            table.c.app == self.app, table.c.model_version == model_version, table.c.layout == layout
        )
        if as_of is not None:
            query = query.where(table.c.as_of <= utc(as_of))
        with self.db.read() as connection:
            found = connection.execute(query.order_by(table.c.as_of.desc()).limit(1)).first()
        return None if found is None else Build(found.as_of, found.snapshots)

    def prune(self, before: datetime) -> int:
        """Drop generations that no question with as_of >= `before` can reach: those with a newer one that is not
        after `before`. The newest generation of a day always stays. Returns the number dropped."""
        from sqlalchemy import exists

        from continual.stores.tables import cell as table

        newer = table.alias()
        same = [newer.c[name] == table.c[name] for name in ("app", "model_version", "layout", "day")]
        replaced = exists().where(*same, newer.c.as_of > table.c.as_of, newer.c.as_of <= utc(before))
        return self._delete(replaced.correlate(table))

    def delete_days(self, window: Window) -> int:
        """Drop every generation of the days in the window (erasure): their records no longer count anywhere."""
        return self._delete(*self._days(window))

    def _delete(self, *where: ColumnElement[bool]) -> int:
        from continual.stores.tables import cell as table

        with self.db.write() as connection:
            return int(connection.execute(table.delete().where(table.c.app == self.app, *where)).rowcount)

    def _days(self, window: Window) -> list[ColumnElement[bool]]:
        from continual.stores.tables import cell as table

        first, end = (-((EPOCH - utc(at)) // timedelta(days=1)) for at in (window.start, window.end))
        return [table.c.app == self.app, table.c.day >= first, table.c.day < end]


def _stored(row: Any) -> StoredCells:
    return StoredCells(row.day, row.model_version, row.layout, row.as_of, bytes(row.blob), row.n_rows, row.n_labelled)
