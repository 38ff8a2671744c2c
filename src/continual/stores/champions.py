"""Which version was champion, in order; the table of versions follows in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.window import utc
from continual.errors import PromotionRefused
from continual.stores.clock import Clock, wall_clock

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from continual.stores.database import Database


@dataclass(frozen=True)
class Reign:
    """One row of the history. kind: bootstrap, promote, rollback or adopted; previous: None at bootstrap."""

    seq: int
    version: str
    previous: str | None
    kind: str
    as_of: datetime
    decision_key: str
    recorded_at: datetime


class ChampionHistory:
    """Champions of one application."""

    def __init__(self, db: Database, app: str, clock: Clock = wall_clock) -> None:
        self.db, self.app, self._clock = db, app, clock

    def append(self, version: str, kind: str, as_of: datetime, decision_key: str) -> Reign:
        """Make `version` champion in the store; the same decision again returns the stored row.

        The old champion becomes `previous`, the version before that `retired`.

        Raises
        ------
        PromotionRefused: the version is not registered or is quarantined.
        """
        from continual.stores.tables import champion_history as table

        with self.db.write() as connection:
            self.db.serialise(connection, f"champion {self.app}")
            past = self._read(connection)
            stored = next((reign for reign in past if reign.decision_key == decision_key), None)
            if stored is not None:
                return stored
            last = past[-1] if past else None
            reign = Reign(
                seq=last.seq + 1 if last else 1,
                version=version,
                previous=last.version if last else None,
                kind=kind,
                as_of=utc(as_of),
                decision_key=decision_key,
                recorded_at=utc(self._clock()),
            )
            self._crown(connection, version)
            connection.execute(table.insert().values(app=self.app, **vars(reign)))
            return reign

    def read(self) -> list[Reign]:
        """The whole history, oldest first."""
        with self.db.read() as connection:
            return self._read(connection)

    def current(self, as_of: datetime | None = None) -> Reign | None:
        """The champion now, or the one that decisions up to `as_of` had made; None before the first."""
        past = [reign for reign in self.read() if as_of is None or reign.as_of <= as_of]
        return past[-1] if past else None

    def _read(self, connection: Connection) -> list[Reign]:
        from continual.stores.tables import champion_history as table

        columns = [table.c[field.name] for field in fields(Reign)]
        query = table.select().with_only_columns(*columns).where(table.c.app == self.app).order_by(table.c.seq)
        return [Reign(**row) for row in connection.execute(query).mappings()]

    def _crown(self, connection: Connection, version: str) -> None:
        from continual.stores.tables import model_version as table

        def move(state: str, *where: Any) -> int:
            return connection.execute(
                table.update().where(table.c.app == self.app, *where).values(state=state)
            ).rowcount

        others = table.c.version != version
        champion = connection.execute(
            table.select().where(table.c.app == self.app, table.c.state == "champion", others)
        ).first()
        if champion is not None:
            move("retired", table.c.state == "previous", others)
            move("previous", table.c.state == "champion", others)
        if move("champion", table.c.version == version, table.c.state != "quarantined") == 0:
            raise PromotionRefused(
                f"Version {version} of {self.app} must be registered and not quarantined to be champion.",
                "it is not.",
                "promote another version, or register this one; a quarantined version never comes back.",
            )
