"""A deployment's own log as history: read once, never written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from continual.core.window import Window
from continual.flows.knowledge import newest
from continual.flows.workspace import Workspace
from continual.replay.history import History

if TYPE_CHECKING:
    from continual.stores.database import Database

#: Everything that may have happened.
EVER = Window(datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def logged_history(ws: Workspace) -> History:
    """Rows and labels of the application as known now.

    Raises
    ------
    NotEnoughData: nothing is logged. StoreError: the log cannot be read.
    """
    known = newest(ws)
    return History.of(ws.log.read_predictions(EVER, known), ws.log.label_rows(known))


def folder_of(ws: Workspace) -> Path:
    """Where an application's replays are kept."""
    return ws.settings.home / "replays" / ws.app


def carry_over(ws: Workspace, sandbox: Database) -> None:
    """What the loop reads besides the log: batches that were refused, rows set aside, labels that were asked for. A
    policy that would have asked for others is not known to have got them."""
    from continual.stores import tables

    for table in (tables.batch, tables.quarantine_item, tables.label_request):
        with ws.db.read() as connection:
            rows = [dict(row) for row in connection.execute(table.select().where(table.c.app == ws.app)).mappings()]
        if rows:
            with sandbox.write() as connection:
                connection.execute(table.insert(), rows)
