"""Definitions of slices and metric contracts as they were when decisions were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.window import utc

if TYPE_CHECKING:
    from continual.stores.database import Database


@dataclass(frozen=True)
class SliceDefinition:
    """A named predicate. tier: critical, standard or long_tail; parent: the slice it rolls up to."""

    name: str
    predicate: str
    tier: str
    parent: str | None = None


@dataclass(frozen=True)
class MetricContract:
    """priority: primary, guardrail or report; direction: higher or lower; margin, floor in the metric's unit."""

    name: str
    owner: str
    priority: str
    direction: str
    margin: float | None = None
    floor: float | None = None


class DefinitionStore:
    """Definitions of one application; what is stored is never changed."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def record_slices(self, slices: Sequence[SliceDefinition], version: str, as_of: datetime) -> None:
        """version: hash of the whole set; first_seen stays the earliest recorded."""
        from continual.stores.rows import upsert
        from continual.stores.tables import slice_

        rows = [{"app": self.app, "version": version, "first_seen": utc(as_of), **vars(item)} for item in slices]
        with self.db.write() as connection:
            upsert(connection, slice_, rows, keep_first=True)

    def slices(self, version: str) -> list[SliceDefinition]:
        from continual.stores.tables import slice_ as table

        names = ("name", "predicate", "tier", "parent")
        query = table.select().with_only_columns(*(table.c[name] for name in names))
        query = query.where(table.c.app == self.app, table.c.version == version).order_by(table.c.name)
        with self.db.read() as connection:
            return [SliceDefinition(**row) for row in connection.execute(query).mappings()]

    def latest(self, name: str) -> SliceDefinition | None:
        """The newest definition of a slice, or None."""
        from continual.stores.tables import slice_ as table

        names = ("name", "predicate", "tier", "parent")
        query = table.select().with_only_columns(*(table.c[one] for one in names))
        query = query.where(table.c.app == self.app, table.c.name == name).order_by(table.c.first_seen.desc()).limit(1)
        with self.db.read() as connection:
            row = connection.execute(query).mappings().first()
        return SliceDefinition(**row) if row else None

    def record_metrics(self, metrics: Sequence[MetricContract], policy_hash: str) -> None:
        from continual.stores.rows import upsert
        from continual.stores.tables import metric

        rows = [{"app": self.app, "policy_hash": policy_hash, **vars(item)} for item in metrics]
        with self.db.write() as connection:
            upsert(connection, metric, rows, keep_first=True)

    def metrics(self, policy_hash: str) -> list[MetricContract]:
        from continual.stores.tables import metric as table

        names = ("name", "owner", "priority", "direction", "margin", "floor")
        query = table.select().with_only_columns(*(table.c[name] for name in names))
        query = query.where(table.c.app == self.app, table.c.policy_hash == policy_hash).order_by(table.c.name)
        with self.db.read() as connection:
            return [MetricContract(**row) for row in connection.execute(query).mappings()]
