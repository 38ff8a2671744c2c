"""What an application looks like right now: one read of the evaluation store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from continual.stores.database import Database

#: What is served, whichever version serves it.
LIVE = "live"


@dataclass(frozen=True)
class Reading:
    """Of one application. evaluations: rows of the live model in its last window, the largest slices first, overall
    before all. purpose, window_end, as_of: of these rows. alarm: one is open about the present champion. None = there
    is none yet."""

    app: str
    champion: str | None
    since: datetime | None
    purpose: str | None
    window_start: datetime | None
    window_end: datetime | None
    as_of: datetime | None
    evaluations: tuple[Mapping[str, Any], ...]
    decision: str | None
    decided: datetime | None
    alarm: bool
    open_items: int
    open_rows: int
    ingested: datetime | None


def applications(db: Database) -> list[str]:
    """Every application that ever took rows in, decided something or was measured."""
    from sqlalchemy import select, union

    from continual.stores.tables import batch, decision, evaluation

    query = union(*(select(table.c.app) for table in (batch, decision, evaluation)))
    with db.read() as connection:
        return sorted(connection.execute(query).scalars())


def read(db: Database, app: str) -> Reading:
    """
    Raises
    ------
    StoreError: nothing is known of this application, or the database does not answer.
    """
    from continual.flows.status import DECISIONS
    from continual.stores.champions import ChampionHistory
    from continual.stores.ledger import Ledger

    reign, ledger = ChampionHistory(db, app).current(), Ledger(db, app)
    last = ledger.last(*DECISIONS)
    alarm = reign is not None and ledger.get(f"alarm:{reign.seq}:{reign.version}") is not None
    with db.read() as connection:
        rows = _evaluations(connection, app, reign.version) if reign else []
        items, held, ingested = _inbox(connection, app)
    if reign is None and last is None and ingested is None and not items:
        raise StoreError(
            "An application must be in the evaluation store.", f"nothing of {app!r}.", "check its name, or ingest."
        )
    first = rows[0] if rows else None
    return Reading(
        app=app,
        champion=reign.version if reign else None,
        since=reign.as_of if reign else None,
        purpose=first["purpose"] if first else None,
        window_start=first["window_start"] if first else None,
        window_end=first["window_end"] if first else None,
        as_of=max(row["as_of"] for row in rows) if rows else None,
        evaluations=tuple(rows),
        decision=last.kind if last else None,
        decided=last.as_of if last else None,
        alarm=alarm,
        open_items=items,
        open_rows=held,
        ingested=ingested,
    )


def _evaluations(connection: Connection, app: str, version: str) -> list[dict[str, Any]]:
    """Of the live model as the monitor measured it; before that, of the champion as the gate did."""
    for purpose, name in (("monitor", LIVE), ("gate", version)):
        window = connection.execute(_last_window(app, name, purpose)).first()
        if window is not None:
            return _newest(connection, app, name, purpose, window[0], window[1])
    return []


def _last_window(app: str, version: str, purpose: str) -> Select[Any]:
    """The window that ends last; of several the one measured last, of these the longest."""
    from sqlalchemy import select

    from continual.stores.tables import evaluation as table

    mine = (table.c.app == app, table.c.model_version == version, table.c.purpose == purpose)
    order = (table.c.window_end.desc(), table.c.as_of.desc(), table.c.window_start)
    return select(table.c.window_start, table.c.window_end).where(*mine).order_by(*order).limit(1)


def _newest(
    connection: Connection, app: str, version: str, purpose: str, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """One row a slice and metric, the one with the newest knowledge."""
    from continual.stores.tables import evaluation as table

    where = {"app": app, "model_version": version, "purpose": purpose, "window_start": start, "window_end": end}
    query = table.select().where(*(table.c[name] == value for name, value in where.items()))
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in connection.execute(query.order_by(table.c.as_of, table.c.id)).mappings():
        newest[row["slice"], row["metric"]] = {**row, **_numbers(row)}
    return sorted(newest.values(), key=lambda r: (r["slice"] != "overall", -r["n"], r["slice"], r["metric"]))


def _numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    """SQLite stores any text in a column of numbers: what is none must fail here, not while the answer is written."""
    values = {name: None if row[name] is None else float(row[name]) for name in ("value", "low", "high")}
    return {**values, "n": int(row["n"]), "n_labelled": int(row["n_labelled"])}


def _inbox(connection: Connection, app: str) -> tuple[int, int, datetime | None]:
    """Open quarantine items, their rows, and when rows were last taken in."""
    from sqlalchemy import func, select

    from continual.stores.tables import batch, quarantine_item

    is_open = (quarantine_item.c.app == app, quarantine_item.c.state == "open")
    items, held = connection.execute(select(func.count(), func.sum(quarantine_item.c.n_rows)).where(*is_open)).one()
    taken = batch.select().with_only_columns(batch.c.as_of).where(batch.c.app == app, batch.c.state == "appended")
    return int(items), int(held or 0), connection.execute(taken.order_by(batch.c.as_of.desc()).limit(1)).scalar()
