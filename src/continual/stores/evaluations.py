"""How good every model version was, on every slice, as known at an instant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest, plain
from continual.core.estimate import Estimate
from continual.core.window import Window, utc

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.database import Database

#: What an evaluation of a window is about.
_KEY = ("model_version", "slice", "metric", "decision_key")
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

    def changed(self, evaluations: Iterable[Evaluation]) -> list[Evaluation]:
        """Those whose numbers differ from the newest on record for their window, version, slice, metric and decision
        as of then; what is known already need not be written again."""
        groups: dict[tuple[str, Window, datetime], list[Evaluation]] = {}
        for item in evaluations:
            groups.setdefault((item.purpose, item.window, item.as_of), []).append(item)
        out = []
        for (purpose, window, as_of), items in groups.items():
            known = self.read(window, as_of, latest=True, purpose=purpose)
            known = known[(known["window_start"] == window.start) & (known["window_end"] == window.end)]
            said = {tuple(row[name] for name in _KEY): _numbers(row) for row in known.to_dict("records")}
            rows = [(item, item.row(self.app)) for item in items]
            out += [item for item, row in rows if said.get(tuple(row[name] for name in _KEY)) != _numbers(row)]
        return out

    def windows(self, purpose: str, model_version: str) -> list[Window]:
        """Windows with an evaluation of this purpose and version, oldest first."""
        from continual.stores.tables import evaluation as table

        where = (table.c.app == self.app, table.c.purpose == purpose, table.c.model_version == model_version)
        query = table.select().with_only_columns(table.c.window_start, table.c.window_end).where(*where).distinct()
        with self.db.read() as connection:
            return sorted(Window(row.window_start, row.window_end) for row in connection.execute(query))

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


def _numbers(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    """What an evaluation says; null and NaN are both 'undefined'."""
    numbers = [row[name] for name in ("value", "low", "high", "n", "n_labelled")]
    return tuple(None if number is None or math.isnan(number) else number for number in numbers)
