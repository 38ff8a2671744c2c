"""The evaluation store of a sandbox: the same schema on SQLite, committed at checkpoints only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.stores.database import Database, open_database

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class SandboxDatabase(Database):
    """One process, one connection, one open transaction: what happened since the last checkpoint never happened when
    the process is killed, in all tables and in `state` alike, so that a replay goes on from a whole look."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._connection = engine.connect()
        self._connection.begin()
        self._connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS replay_state (name TEXT PRIMARY KEY, value TEXT)")

    @classmethod
    def at(cls, file: Path) -> SandboxDatabase:
        """Open or create."""
        plain = open_database(f"sqlite:///{file}")
        plain.upgrade()
        plain.close()
        return cls(plain.engine)

    @contextmanager
    def _transaction(self, write: bool) -> Iterator[Connection]:
        if not write:
            yield self._connection
            return
        with self._connection.begin_nested():
            yield self._connection

    def state(self, name: str) -> Any:
        """What the last checkpoint kept under this name; None before the first."""
        found = self._connection.exec_driver_sql("SELECT value FROM replay_state WHERE name = ?", (name,)).first()
        return None if found is None else json.loads(found[0])

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Keep everything up to now, and these values beside it."""
        for name, value in state.items():
            row = (name, json.dumps(value))
            self._connection.exec_driver_sql("INSERT OR REPLACE INTO replay_state VALUES (?, ?)", row)
        self._connection.commit()
        self._connection.begin()

    def close(self) -> None:
        """What came after the last checkpoint is dropped."""
        self._connection.close()
        super().close()
