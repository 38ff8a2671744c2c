"""Rows sent to labelers, with the inclusion probability that makes estimates from them unbiased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import plain
from continual.core.window import Window, utc

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.database import Database


@dataclass(frozen=True)
class LabelRequest:
    """probability: inclusion probability in (0, 1]; components: the same by component of the sampler."""

    key: str
    probability: float
    sampler: str
    asked_at: datetime
    window: Window
    components: dict[str, float] = field(default_factory=dict)
    model_version: str | None = None
    state: str = "open"

    def row(self, app: str) -> dict[str, Any]:
        return {
            "app": app,
            "key": self.key,
            "asked_at": utc(self.asked_at),
            "probability": float(self.probability),
            "components": plain(self.components),
            "sampler": self.sampler,
            "state": self.state,
            "model_version": self.model_version,
            "window_start": self.window.start,
            "window_end": self.window.end,
        }


class RequestStore:
    """Label requests of one application."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def ask(self, requests: Sequence[LabelRequest]) -> None:
        """Record requests; one that exists (same key and asked_at) keeps its probability and state."""
        from continual.stores.rows import upsert
        from continual.stores.tables import label_request

        rows = [request.row(self.app) for request in requests]
        with self.db.write() as connection:
            upsert(connection, label_request, rows, keep_first=True)

    def read(self, window: Window | None = None, as_of: datetime | None = None, **equal: str) -> pd.DataFrame:
        """Requests, oldest first; columns as in the table `label_request`.

        window: those asked for exactly this window. as_of: asked by then. equal: key, sampler, state, model_version.
        """
        from continual.stores.rows import frame
        from continual.stores.tables import label_request as table

        query = table.select().where(table.c.app == self.app, *(table.c[k] == v for k, v in equal.items()))
        if window:
            query = query.where(table.c.window_start == window.start, table.c.window_end == window.end)
        if as_of:
            query = query.where(table.c.asked_at <= as_of)
        with self.db.read() as connection:
            return frame(connection, query.order_by(table.c.asked_at, table.c.key))

    def close(self, keys: Sequence[str], state: str) -> int:
        """Move open requests for these record keys to answered, expired or cancelled; returns how many."""
        from continual.stores.tables import label_request as table

        closed = 0
        with self.db.write() as connection:
            for start in range(0, len(keys), 500):  # SQLite bounds the parameters of one statement
                chosen = table.c.key.in_(list(keys[start : start + 500]))
                where = (table.c.app == self.app, table.c.state == "open", chosen)
                closed += connection.execute(table.update().where(*where).values(state=state)).rowcount
        return closed
