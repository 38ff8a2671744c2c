"""The reading side of the prediction log over a `History`: what was known at an instant is a mask, not a scan."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.window import Window
from continual.errors import StoreError
from continual.replay.history import NEVER, History, micros
from continual.stores.log import PredictionLog
from continual.stores.log_read import resolve
from continual.stores.log_withdrawn import Withdrawn

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from continual.replay.serving import Serving
    from continual.stores.withdrawals import WithdrawalStore

DAY = 86_400_000_000
EPOCH = date(1970, 1, 1)


class HistoryLog(PredictionLog):
    """Reads as `PredictionLog` does, with the answers of the sandbox's own champions as what was served. Nothing can
    be appended: a replay never writes to the history it replays."""

    def __init__(
        self, history: History, serving: Serving, app: str, withdrawals: WithdrawalStore | None = None
    ) -> None:
        self.history, self.serving, self.app = history, serving, app
        self._withdrawn = Withdrawn(withdrawals)

    def read_predictions(
        self,
        window: Window,
        as_of: datetime,
        columns: Sequence[str] | None = None,
        snapshot_id: int | None = None,
    ) -> pd.DataFrame:
        """See `PredictionLog.read_predictions`."""
        return self._rows(window, as_of, columns)[0]

    def read_labelled_parts(
        self,
        parts: Sequence[Window],
        as_of: datetime,
        columns: Sequence[str] | None = None,
        snapshots: Mapping[str, int] | None = None,
    ) -> Iterator[pd.DataFrame]:
        """See `PredictionLog.read_labelled_parts`."""
        return (self._labelled(part, as_of, columns) for part in parts)

    def _labelled(self, window: Window, as_of: datetime, columns: Sequence[str] | None) -> pd.DataFrame:
        import pandas as pd

        frame, part, use = self._rows(window, as_of, columns)
        value, since = self.history.label_at(part, as_of)
        if use is not None:
            value, since = value[use], since[use]
        stamps = since.astype("datetime64[us]")
        stamps[since == NEVER] = np.datetime64("NaT")
        known = pd.Series(stamps, index=frame.index).dt.tz_localize("UTC")
        return frame.assign(label=value, label_known_at=known)

    def read_arrow(
        self, window: Window, as_of: datetime, columns: Sequence[str], *, dictionary: Collection[str] = ()
    ) -> pa.Table:
        """See `PredictionLog.read_arrow`."""
        import pyarrow as pa

        table = pa.Table.from_pandas(self.read_labelled(window, as_of, columns), preserve_index=False)
        for name in dictionary:
            at = table.column_names.index(name)
            table = table.set_column(at, name, table.column(name).cast(pa.string()).dictionary_encode())
        return table.replace_schema_metadata(None)

    def read_labels(self, since: datetime | None, as_of: datetime) -> pd.DataFrame:
        """See `PredictionLog.read_labels`; which source gave a label is not told."""
        import pandas as pd

        after, until = (micros(since) if since else -NEVER), micros(as_of)
        parts = []
        for one in self.history.labels:
            use = (one.known > after) & (one.known <= until)
            parts.append(pd.DataFrame({"row": one.rows[use], "known_at": one.known[use], "value": one.value[use]}))
        found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"row": [], "known_at": [], "value": []})
        keys = self.history.rows["record_key"].iloc[found["row"].astype(int)].to_numpy()
        known = pd.to_datetime(found["known_at"].to_numpy("int64"), unit="us", utc=True).as_unit("us")
        return resolve(found.assign(record_key=keys, source="", batch_id="", known_at=known).drop(columns="row"))

    def read_scores(self, window: Window, version: str, as_of: datetime) -> pd.DataFrame:
        """Nothing was scored afterwards."""
        return self._no_scores()

    def read_all_scores(self, window: Window, as_of: datetime) -> pa.Table:
        """Nothing was scored afterwards."""
        import pyarrow as pa

        return pa.Table.from_pandas(self._no_scores(), preserve_index=False)

    def _no_scores(self) -> pd.DataFrame:
        import pandas as pd

        empty = {name: pd.Series(dtype="str") for name in ("record_key", "model_version")}
        stamps = {name: pd.Series(dtype="datetime64[us, UTC]") for name in ("event_time", "known_at")}
        return pd.DataFrame({**empty, **stamps, "prediction": pd.Series(dtype="float64")})

    def touched_days(self, since: datetime | None, as_of: datetime) -> list[date]:
        """See `PredictionLog.touched_days`."""
        after, until, history = (micros(since) if since else -NEVER), micros(as_of), self.history
        days = [history.event[(history.known > after) & (history.known <= until)] // DAY]
        days += [history.event[g.rows[(g.known > after) & (g.known <= until)]] // DAY for g in history.labels]
        found = {EPOCH + timedelta(days=int(day)) for day in np.unique(np.concatenate(days))}
        return sorted(found | (self._withdrawn.days(since, as_of) if since else set()))

    def logged_days(self, as_of: datetime) -> list[date]:
        """See `PredictionLog.logged_days`."""
        days = np.unique(self.history.event[self.history.known <= micros(as_of)] // DAY)
        return [EPOCH + timedelta(days=int(day)) for day in days]

    def added_days(self, heads: Mapping[str, str]) -> list[date]:
        """History does not grow; rows may be withdrawn."""
        return sorted(self._withdrawn.days_after(int(heads.get("withdrawals", 0))))

    def heads(self) -> dict[str, str]:
        """History does not grow; rows may be withdrawn."""
        found = {"predictions": self.history.id, "labels": self.history.id, "withdrawals": self._withdrawn.head()}
        return {name: str(head) for name, head in found.items() if head is not None}

    def snapshot_id(self, stream: Any) -> int | None:
        """A number for the whole history, so that equal datasets of two policies are one."""
        return int(self.history.id, 16) if stream in ("predictions", "labels") else None

    def unknown_keys(self, as_of: datetime, older_than: timedelta) -> pd.DataFrame:
        """Labels of unknown keys are no part of a history."""
        import pandas as pd

        return pd.DataFrame({"record_key": [], "known_at": [], "n": []})

    def _append(self, stream: Any, table: pa.Table, commit_id: str) -> int:
        raise _read_only(self.app)

    def append_predictions(self, table: pa.Table, commit_id: str) -> int:
        """
        Raises
        ------
        StoreError: always.
        """
        raise _read_only(self.app)

    def append_labels(self, table: pa.Table, commit_id: str) -> int:
        """
        Raises
        ------
        StoreError: always.
        """
        raise _read_only(self.app)

    def _rows(
        self, window: Window, as_of: datetime, columns: Sequence[str] | None
    ) -> tuple[pd.DataFrame, slice, np.ndarray[Any, np.dtype[np.bool_]] | None]:
        """Rows of the window known by then; their positions; which of these, None = all."""
        part = self.history.part(window)
        known = self.history.known[part] <= micros(as_of)
        for scope in self._withdrawn.scopes("predictions", as_of, window):
            known &= ~scope.mask(self.history.rows[list(scope.columns)].iloc[part])
        names = list(self.history.rows.columns if columns is None else columns)
        missing = sorted(set(names) - set(self.history.rows.columns))
        if missing:
            raise StoreError(
                f"The prediction log of {self.app} must have the columns that are read.",
                f"no column {', '.join(missing)}.",
                "compare the policy's columns with those of the history.",
            )
        frame = self.history.rows[names].iloc[part]
        frame = frame.assign(**{n: v for n, v in self.serving.columns(part).items() if n in names})
        if known.all():
            return frame.reset_index(drop=True), part, None
        return frame[known].reset_index(drop=True), part, known


def _read_only(app: str) -> StoreError:
    return StoreError(
        f"The history of {app} must stay as it is while it is replayed.",
        "something was to be appended to it.",
        "report this: no flow of a replay writes to the log.",
    )
