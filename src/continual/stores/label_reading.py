"""What the label queue says to those who only look."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.labelling import State
from continual.core.window import utc
from continual.stores.clock import Clock, wall_clock
from continual.stores.label_queue import SILENT, WAITING

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import ColumnElement

    from continual.stores.database import Database


class LabelReading:
    """The queue of one application, read only."""

    def __init__(self, db: Database, app: str, clock: Clock = wall_clock) -> None:
        self.db, self.app, self._clock = db, app, clock

    def requests(self, asked_at: datetime | None = None, everything: bool = False) -> pd.DataFrame:
        """Rows that were asked for, the first to be labelled first; columns as in the table `label_request`.

        asked_at: of one draw. everything: settled ones too.
        """
        from continual.stores.rows import frame
        from continual.stores.tables import label_request as table

        where = [table.c.app == self.app, table.c.state.not_in(SILENT)]
        where += [table.c.asked_at == utc(asked_at)] if asked_at else []
        where += [] if everything else [table.c.state.in_(WAITING), table.c.closed.is_(None)]
        order = (table.c.state == State.DISPUTED, table.c.votes, table.c.priority)
        query = table.select().where(*where).order_by(*(column.desc() for column in order), table.c.key)
        with self.db.read() as connection:
            return frame(connection, query)

    def counts(self, asked_at: datetime | None = None) -> dict[str, int]:
        """Rows by state, `leased` besides: those of them that somebody has before them now.

        asked_at: of one draw; a row that an earlier draw asks for counts with its state there.
        """
        from sqlalchemy import func, select

        from continual.stores.tables import label_request as table

        where: list[ColumnElement[bool]] = [table.c.app == self.app, table.c.state.not_in(SILENT)]
        if asked_at is not None:
            drawn = select(table.c.key).where(table.c.app == self.app, table.c.asked_at == utc(asked_at))
            where.append(table.c.key.in_(drawn.where(table.c.state != State.UNCHOSEN)))
        query = select(table.c.state, func.count(table.c.key.distinct())).where(*where).group_by(table.c.state)
        with self.db.read() as connection:
            found = {state.value: 0 for state in State if state not in SILENT}
            found |= {str(state): int(n) for state, n in connection.execute(query)}
            return {**found, "leased": int(connection.execute(self._leased()).scalar_one())}

    def _leased(self) -> Any:
        from sqlalchemy import func, select

        from continual.stores.tables import label_lease as table

        alive = (table.c.app == self.app, table.c.expires_at > self._clock())
        return select(func.count(table.c.key.distinct())).where(*alive)

    def answers(self, since: datetime | None = None) -> pd.DataFrame:
        """Every answer ever given, oldest first: key, annotator, value (NaN = cannot tell), answered_at, via, decides.

        since: only those of rows asked for since then.
        """
        from sqlalchemy import select

        from continual.stores.rows import frame
        from continual.stores.tables import label_answer as table
        from continual.stores.tables import label_request as asked

        columns = (table.c.key, table.c.annotator, table.c.value, table.c.answered_at, table.c.via, table.c.decides)
        query = select(*columns).where(table.c.app == self.app)
        if since is not None:
            query = query.where(
                table.c.key.in_(select(asked.c.key).where(asked.c.app == self.app, asked.c.asked_at >= utc(since)))
            )
        with self.db.read() as connection:
            found = frame(connection, query.order_by(table.c.answered_at, table.c.id))
        return found.assign(value=found["value"].astype(float), decides=found["decides"].astype(bool))

    def asked_of(self, keys: list[str]) -> pd.DataFrame:
        """use, needed, state and value of rows that were asked for, one a key: key, use, needed, state, value."""
        found = self.requests(everything=True)
        return found[found["key"].isin(keys)].drop_duplicates("key")[["key", "use", "needed", "state", "value"]]
