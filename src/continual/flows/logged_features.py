"""Features of many logged rows, read from the log when they are asked for: in memory are those of one chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.window import Window
from continual.flows.workspace import Workspace
from continual.samplers._columns import CHUNK

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LoggedFeatures:
    """A table as samplers read it, (n, d). keys, times: (n,) of the rows, which lie in order of time, so that a chunk
    of them is a few days of the log. as_of: the instant at which they were read. columns: logged ones, d of them."""

    ws: Workspace
    keys: npt.NDArray[Any]
    times: npt.NDArray[np.datetime64]
    as_of: datetime
    columns: Sequence[str]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, where: slice | npt.NDArray[np.int64]) -> pd.DataFrame:
        """(m, d) of a slice of rows, or of single ones in the order asked for."""
        import pandas as pd

        rows = np.arange(len(self))[where] if isinstance(where, slice) else np.asarray(where)
        groups = rows // CHUNK
        parts = [self._read(rows[groups == group]) for group in np.unique(groups)] or [self._read(rows)]
        found = parts[0] if len(parts) == 1 else pd.concat(parts)
        return found.loc[self.keys[rows]].reset_index(drop=True)

    def _read(self, rows: npt.NDArray[np.int64]) -> pd.DataFrame:
        """By record key, those of `rows` among others of the same time."""
        times = self.times[rows] if len(rows) else self.times[:1]
        window = Window(_utc(times.min()), _utc(times.max()) + timedelta(microseconds=1))
        found = self.ws.log.read_predictions(window, self.as_of, ["record_key", *self.columns]).set_index("record_key")
        return found.loc[self.keys[rows]]


def _utc(value: np.datetime64) -> datetime:
    found: datetime = value.astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC)
