"""All applications at a glance: health, last and next decision, what waits for people, profit and loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from continual.core.estimate import Estimate
from continual.core.verdict import OVERALL
from continual.errors import ContinualError
from continual.flows.day_rows import LIVE
from continual.flows.status import Status, status
from continual.flows.workspace import Workspace
from continual.stores.ledger_pages import LedgerPages, Line
from continual.ui.profit import told
from continual.ui.site import Site

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: Health, worst first: what it is called, and whether a person should look.
ALARM, BROKEN, WAITS, NEW, GOOD = "alarm", "policy invalid", "waits for you", "no champion", "good"


@dataclass(frozen=True)
class Overview:
    """One application. primary: the live model over `days`, the newest on record. decided: the last decision; judged:
    the last verdict; triggered: what the trigger last said. profit: forecast, and what retrains brought.
    problem: why nothing else can be shown."""

    application: str
    description: str = ""
    owner: str = ""
    health: str = BROKEN
    status: Status | None = None
    primary: Estimate | None = None
    metric: str = ""
    days: int = 0
    decided: Line | None = None
    judged: Line | None = None
    triggered: Line | None = None
    open_labels: int = 0
    profit: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


def overview(site: Site, names: list[str]) -> list[Overview]:
    """One for each name, those that need a person first."""
    found = [_one(site, name) for name in names]
    order = [ALARM, BROKEN, WAITS, NEW, GOOD]
    return sorted(found, key=lambda o: (order.index(o.health), o.application))


def _one(site: Site, name: str) -> Overview:
    try:
        policy = site.policy(name)
    except ContinualError as error:
        return Overview(name, problem=str(error))
    try:
        return _read(site.open(name), policy.problem)
    except ContinualError as error:
        known = policy.loaded.policy
        return Overview(name, known.description, known.owner, NEW, problem=str(error))


def _read(ws: Workspace, problem: str | None) -> Overview:
    from continual.flows.status import DECISIONS

    now = status(ws, problem)
    pages = LedgerPages(ws.db, ws.app)
    judged = pages.newest("verdict")
    waits = now.open_items > 0 or "answer the approve task" in now.next
    primary, days = _primary(ws)
    with ws.db.read() as connection:
        open_labels = _open_labels(connection, ws.app)
    return Overview(
        application=ws.app,
        description=ws.policy.description,
        owner=ws.policy.owner,
        health=_health(now, problem, waits),
        status=now,
        primary=primary,
        metric=ws.policy.primary.name,
        days=days,
        decided=pages.newest(*DECISIONS),
        judged=judged,
        triggered=pages.newest("trigger"),
        open_labels=open_labels,
        profit=told(ws),
    )


def _health(now: Status, problem: str | None, waits: bool) -> str:
    if now.alarm is not None:
        return ALARM
    if problem is not None:
        return BROKEN
    if now.champion is None:
        return NEW
    return WAITS if waits else GOOD


def _primary(ws: Workspace) -> tuple[Estimate | None, int]:
    """The newest evaluation of the live model over the longest of the policy's windows."""
    from continual.stores.tables import evaluation as table

    same = {
        "app": ws.app, "purpose": "monitor", "model_version": LIVE, "slice": OVERALL, "metric": ws.policy.primary.name
    }  # fmt: skip
    query = table.select().where(*(table.c[name] == value for name, value in same.items()))
    order = (table.c.window_end.desc(), table.c.window_start, table.c.as_of.desc())
    with ws.db.read() as connection:
        row = connection.execute(query.order_by(*order).limit(1)).mappings().first()
    if row is None:
        return None, 0
    found = Estimate(**{name: row[name] for name in ("value", "low", "high", "n", "n_labelled", "method")})
    return found, (row["window_end"] - row["window_start"]).days


def _open_labels(connection: Connection, app: str) -> int:
    from sqlalchemy import func, select

    from continual.stores.tables import label_request as table

    query = select(func.count()).select_from(table).where(table.c.app == app, table.c.state == "open")
    return int(connection.execute(query).scalar_one())
