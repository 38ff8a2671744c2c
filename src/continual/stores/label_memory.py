"""What labeling backends must remember between runs, and who may label."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from continual.stores.clock import Clock, wall_clock

if TYPE_CHECKING:
    from continual.stores.database import Database


class LabelMemory:
    """Small values of one application's labelers, by kind of labeler and name."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def read(self, labeler: str) -> dict[str, str]:
        """All of one labeler."""
        from continual.stores.tables import label_cursor as table

        where = (table.c.app == self.app, table.c.labeler == labeler)
        with self.db.read() as connection:
            return {row["name"]: row["value"] for row in connection.execute(table.select().where(*where)).mappings()}

    def write(self, labeler: str, values: Mapping[str, str]) -> None:
        """Overwrite these; the others stay."""
        from continual.stores.rows import upsert
        from continual.stores.tables import label_cursor

        rows = [{"app": self.app, "labeler": labeler, "name": name, "value": v} for name, v in values.items()]
        with self.db.write() as connection:
            upsert(connection, label_cursor, rows)


class Annotators:
    """People who may label an application's rows; only hashes of their tokens are kept."""

    def __init__(self, db: Database, app: str, clock: Clock = wall_clock) -> None:
        self.db, self.app, self._clock = db, app, clock

    def add(self, name: str) -> str:
        """A new access token for this person, shown once; an earlier one is void."""
        token = secrets.token_urlsafe(32)
        self._store(name, _hash(token))
        return token

    def remove(self, name: str) -> bool:
        """Withdraw access; their answers stay. Whether they had any."""
        had = name in self.names()
        if had:
            self._store(name, "")
        return had

    def names(self) -> list[str]:
        """Who has access."""
        return sorted(self._hashes())

    def who(self, token: str) -> str | None:
        """Whose token this is; None: nobody's."""
        found = _hash(token)
        return next((name for name, known in self._hashes().items() if hmac.compare_digest(known, found)), None)

    def _hashes(self) -> dict[str, str]:
        from continual.stores.tables import annotator as table

        query = table.select().where(table.c.app == self.app, table.c.token_hash != "")  # withdrawn  # nosec B105
        with self.db.read() as connection:
            return {row["name"]: row["token_hash"] for row in connection.execute(query).mappings()}

    def _store(self, name: str, token_hash: str) -> None:
        from continual.stores.rows import upsert
        from continual.stores.tables import annotator

        row = {"app": self.app, "name": name, "token_hash": token_hash, "added_at": self._clock()}
        with self.db.write() as connection:
            upsert(connection, annotator, [row])


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
