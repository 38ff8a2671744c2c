"""Days on which labels were chosen: their cells count every row by 1 / its chance of a label.

A model's worst rows are labelled most when a sampler looks for them, so cells that count each labelled row once would
say that it is bad. The chance follows from what was drawn and from the day's own labels, so it is found when the day is
built, and a day is built again when either changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from continual.core.window import day_window, days_of, hull
from continual.flows.weights import by_draws, inclusion, requests_of
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Column of a day's table; not a name a logged column can have.
WEIGHT = "1 / inclusion probability"


def drawn_days(ws: Workspace, as_of: datetime, since: datetime | None = None) -> set[date]:
    """Days of the draws asked by `as_of`, and not before `since`."""
    return {day for window in requests_of(ws).asked_over(as_of, since) for day in days_of(window)}


@dataclass(frozen=True)
class ChosenDays:
    """What was drawn by an instant on some days; it is read once for all of them, when the first one is asked for."""

    ws: Workspace
    days: frozenset[date]
    as_of: datetime

    @classmethod
    def among(cls, ws: Workspace, days: Iterable[date], as_of: datetime) -> ChosenDays:
        """Those of `days` that a draw covers."""
        return cls(ws, frozenset(days) & drawn_days(ws, as_of), as_of)

    def weighed(self, day: date, table: pa.Table) -> tuple[pa.Table, str | None]:
        """The rows that may judge a model, and the column of their weights; None = every row weighs the same.

        table: (n, ...) with record_key and label.
        """
        import pandas as pd
        import pyarrow as pa

        if day not in self.days or not table.num_rows:
            return table, None
        frame = pd.DataFrame(
            {
                "record_key": table.column("record_key").to_pandas(),
                "label": table.column("label").to_pandas(),
                "event_time": np.datetime64(day, "us"),
                "row": np.arange(table.num_rows),
            }
        )
        frame = by_draws(frame, self._drawn)
        table = table.take(pa.array(frame["row"]))
        chance = inclusion(frame)
        return (table, None) if chance is None else (table.append_column(WEIGHT, pa.array(1 / chance)), WEIGHT)

    @cached_property
    def _drawn(self) -> pd.DataFrame:
        return requests_of(self.ws).drawn(hull([day_window(day) for day in self.days]), self.as_of)
