"""How good every model version was, on every slice, as known at an instant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest, plain
from continual.core.estimate import Estimate
from continual.core.window import Window, utc

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.database import Database

IDENTITY = ["purpose", "window_start", "window_end", "model_version", "slice", "metric", "decision_key"]


@dataclass(frozen=True)
class Evaluation:
    """One estimate. purpose: gate or monitor; decision_key: the decision it served, '' when none."""

    purpose: str
    window: Window
    as_of: datetime
    model_version: str
    slice: str
    metric: str
    estimate: Estimate
    decision_key: str = ""

    def row(self, app: str) -> dict[str, Any]:
        identity = {
            "app": app,
            "purpose": self.purpose,
            "window_start": self.window.start,
            "window_end": self.window.end,
            "as_of": utc(self.as_of),
            "model_version": self.model_version,
            "slice": self.slice,
            "metric": self.metric,
            "decision_key": self.decision_key,
        }
        return {"id": digest(identity), **identity, **plain(self.estimate)}


class EvaluationStore:
    """Evaluations of one application."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def write(self, evaluations: Iterable[Evaluation]) -> int:
        """Store all or none; a re-run overwrites its own rows. Returns the number written."""
        from continual.stores.rows import upsert
        from continual.stores.tables import evaluation

        rows = [item.row(self.app) for item in evaluations]
        with self.db.write() as connection:
            upsert(connection, evaluation, rows)
        return len(rows)

    def read(
        self,
        window: Window | None = None,
        as_of: datetime | None = None,
        latest: bool = False,
        **equal: str | list[str],
    ) -> pd.DataFrame:
        """Evaluations, oldest window first; columns as in the table `evaluation`.

        window: those whose window lies inside. as_of: those made with knowledge up to then.
        latest: of evaluations that differ only in as_of, the newest. equal: purpose, model_version, slice, metric
        or decision_key, one value or a list.
        """
        from continual.stores.rows import frame
        from continual.stores.tables import evaluation as table

        query = table.select().where(table.c.app == self.app)
        if window:
            query = query.where(table.c.window_start >= window.start, table.c.window_end <= window.end)
        if as_of:
            query = query.where(table.c.as_of <= as_of)
        for name, value in equal.items():
            query = query.where(table.c[name].in_([value] if isinstance(value, str) else value))
        order = ["window_start", "window_end", "as_of", "model_version", "slice", "metric", "id"]
        with self.db.read() as connection:
            found = frame(connection, query.order_by(*(table.c[name] for name in order)))
        if latest:
            found = found.drop_duplicates(IDENTITY, keep="last", ignore_index=True)
        return found.astype({"value": float, "low": float, "high": float})
