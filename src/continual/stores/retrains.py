"""What staleness was measured and what became of every retrain: the tables `day_gain` and `retrain_result`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.trigger_evidence import DayGain

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.database import Database


@dataclass(frozen=True)
class MeasuredDay:
    """A day of the champion's reign `reign` (champion_history.seq), measured with what was known at `as_of`."""

    reign: int
    version: str
    as_of: datetime
    gain: DayGain


class RetrainStore:
    """Measured days and retrain results of one application."""

    def __init__(self, db: Database, app: str) -> None:
        self.db, self.app = db, app

    def put_days(self, days: Iterable[MeasuredDay]) -> int:
        """A day measured once stands, so that a decision on it replays; returns the number given."""
        from continual.stores.rows import upsert
        from continual.stores.tables import day_gain

        rows = [
            {"app": self.app, "reign": d.reign, "version": d.version, "as_of": d.as_of, **asdict(d.gain)} for d in days
        ]
        with self.db.write() as connection:
            upsert(connection, day_gain, rows, keep_first=True)
        return len(rows)

    def days(self, as_of: datetime) -> list[MeasuredDay]:
        """Days measured by `as_of`, by reign, oldest first."""
        from continual.stores.tables import day_gain as table

        query = table.select().where(table.c.app == self.app, table.c.as_of <= as_of)
        with self.db.read() as connection:
            rows = connection.execute(query.order_by(table.c.reign, table.c.day)).mappings().all()
        names = list(DayGain.__dataclass_fields__)
        return [MeasuredDay(r["reign"], r["version"], r["as_of"], DayGain(**{n: r[n] for n in names})) for r in rows]

    def put_result(self, row: Mapping[str, Any]) -> None:
        """One retrain as it stands now; the newer one replaces the older. row: columns of `retrain_result`."""
        from continual.stores.rows import upsert
        from continual.stores.tables import retrain_result

        with self.db.write() as connection:
            upsert(connection, retrain_result, [{"app": self.app, **row}])

    def results(self) -> pd.DataFrame:
        """All retrains, oldest first; columns as in the table."""
        from continual.stores.rows import frame
        from continual.stores.tables import retrain_result as table

        query = table.select().where(table.c.app == self.app).order_by(table.c.as_of, table.c.retrain_key)
        with self.db.read() as connection:
            return frame(connection, query)
