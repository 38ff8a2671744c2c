"""Rows sent to labelers, with the inclusion probability that makes estimates from them unbiased."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.core.window import Window, utc

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import ColumnElement

    from continual.stores.database import Database


#: State of a row that was in the draw and was not chosen: nobody is asked, its probability counts all the same.
UNCHOSEN = "unchosen"


@dataclass(frozen=True)
class Draw:
    """One draw over the rows of a window. sampler: its kind; model_version: whose predictions it read. deadline:
    unanswered from then on a row expires."""

    window: Window
    asked_at: datetime
    sampler: str
    model_version: str | None = None
    deadline: datetime | None = None


@dataclass(frozen=True)
class DrawnRows:
    """Rows that could have been chosen, n of them. probability: (n,) inclusion probability in (0, 1]; components: the
    same by component of the sampler. state, use: see `core.labelling`. needed: people who must answer. priority: the
    larger is asked first. state, use, needed, priority: (n,) lists, or one value for all."""

    keys: Sequence[str]
    probability: npt.NDArray[np.float64]
    state: list[str] | str = "open"
    components: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    use: list[str] | str = "evaluation"
    needed: list[int] | int = 1
    priority: list[float] | float = 0.0


def _as_json(components: Mapping[str, npt.NDArray[np.float64]]) -> list[str]:
    """(n,) texts; components that are 0 for a row are left out."""
    names = [json.dumps(name) for name in components]
    rows = zip(*(values.tolist() for values in components.values()), strict=True)
    return ["{" + ", ".join(f"{k}: {p!r}" for k, p in zip(names, row, strict=True) if p > 0) + "}" for row in rows]


class RequestStore:
    """Label requests of one application."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def add(self, draw: Draw, rows: DrawnRows) -> None:
        """Record a draw, or some rows of it, those that were not chosen included. Safe to repeat: a request that
        exists (same key and asked_at) keeps its probability and state.

        Raises
        ------
        ValueError: a probability is not in (0, 1], so that its row could never be weighted.
        """
        from continual.stores.bulk import insert_new
        from continual.stores.tables import label_request

        if not np.all((rows.probability > 0) & (rows.probability <= 1)):
            raise ValueError("an inclusion probability must be in (0, 1] for every row of the draw, chosen or not")
        columns = {
            "app": self.app,
            "key": [str(key) for key in rows.keys],
            "asked_at": utc(draw.asked_at),
            "probability": rows.probability.tolist(),
            "components": _as_json(rows.components) if rows.components else {},
            "sampler": draw.sampler,
            "state": rows.state,
            "model_version": draw.model_version,
            "window_start": draw.window.start,
            "window_end": draw.window.end,
            "use": rows.use,
            "needed": rows.needed,
            "priority": rows.priority,
            "deadline": None if draw.deadline is None else utc(draw.deadline),
        }
        with self.db.write() as connection:
            insert_new(connection, label_request, columns, len(rows.keys))

    def record(
        self, draw: Draw, keys: Sequence[str], probability: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_]
    ) -> int:
        """Record a whole draw; returns how many labels it asks for. Safe to repeat: what is recorded stands.

        Raises
        ------
        ValueError: as `add`.
        """
        states = np.where(chosen, "open", UNCHOSEN).tolist()
        self.add(draw, DrawnRows(keys, probability, states))
        return int(np.count_nonzero(chosen))

    def asked(self, after: datetime | None, until: datetime) -> int:
        """Labels asked for after one instant and up to another."""
        from sqlalchemy import func, select

        from continual.stores.tables import label_request as table

        where = [table.c.app == self.app, table.c.state != UNCHOSEN, table.c.asked_at <= utc(until)]
        if after is not None:
            where.append(table.c.asked_at > utc(after))
        with self.db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())

    def chosen(self) -> pd.DataFrame:
        """Every request that somebody is or was asked about, draw by draw: key, state."""
        from continual.stores.rows import frame
        from continual.stores.tables import label_request as table

        query = table.select().with_only_columns(table.c.key, table.c.state)
        with self.db.read() as connection:
            return frame(connection, query.where(table.c.app == self.app, table.c.state != UNCHOSEN))

    def any_in(self, window: Window, as_of: datetime) -> bool:
        """Whether labels were asked for in (part of) the window by `as_of`."""
        from continual.stores.tables import label_request as table

        query = table.select().with_only_columns(table.c.key).where(*self._over(window, as_of)).limit(1)
        with self.db.read() as connection:
            return connection.execute(query).first() is not None

    def asked_over(self, as_of: datetime, since: datetime | None = None) -> list[Window]:
        """Windows of the draws asked by `as_of`, and not before `since`; each once."""
        from continual.stores.tables import label_request as table

        where = [table.c.app == self.app, table.c.asked_at <= as_of]
        if since is not None:
            where.append(table.c.asked_at >= since)
        query = table.select().with_only_columns(table.c.window_start, table.c.window_end).where(*where).distinct()
        with self.db.read() as connection:
            found = connection.execute(query).tuples().all()
        return [Window(start, end) for start, end in sorted(found)]

    def drawn(self, window: Window, as_of: datetime) -> pd.DataFrame:
        """One row for each record key that was in a draw over (part of) the window, asked by `as_of`: key, left_out =
        chance that no draw chose it, chosen = whether one did, training = whether its label must not judge."""
        from continual.stores.rows import frame
        from continual.stores.tables import label_request as table

        query = table.select().with_only_columns(table.c.key, table.c.probability, table.c.state, table.c.use)
        query = query.where(*self._over(window, as_of))
        with self.db.read() as connection:
            found = frame(connection, query)
        found = found.assign(
            left_out=1 - found["probability"].astype(float),
            chosen=found["state"] != UNCHOSEN,
            training=found["use"] == "training",
        )
        if found["key"].is_unique:
            return found[["key", "left_out", "chosen", "training"]]
        how = {"left_out": "prod", "chosen": "any", "training": "any"}
        return found.groupby("key", as_index=False, sort=False).agg(how)

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

    def _over(self, window: Window, as_of: datetime) -> tuple[ColumnElement[bool], ...]:
        from continual.stores.tables import label_request as table

        inside = (table.c.window_start < window.end, table.c.window_end > window.start)
        return (table.c.app == self.app, table.c.asked_at <= as_of, *inside)
