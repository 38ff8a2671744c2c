"""Any registered version over the logged inputs: what it would have said, kept beside what was served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from continual.core.canonical import digest
from continual.core.window import Window, day_window, days_of, utc
from continual.flows.serving_check import answers, load_version
from continual.flows.workspace import Outcome, Workspace
from continual.models.artifact import inputs_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from continual.models.artifact import Floats

#: Rows scored at a time: bounds memory whatever the size of a day.
CHUNK = 100_000
#: Called with (days done, days, what) after every day.
Progress = Callable[[int, int, str], None]


def back_score(
    ws: Workspace, version: str, window: Window, as_of: datetime, progress: Progress | None = None
) -> Outcome:
    """Score every logged row of the window that `version` neither served nor scored yet, a day at a time.

    Safe to repeat and to stop anywhere: what is scored stays, what is missing is scored by the next call.

    Raises
    ------
    ModelUnavailable: the version does not load, misses a column of a day, or has no legal answer.
    """
    as_of, days, scored = utc(as_of), days_of(window), 0
    load_version(ws, version)  # a version that does not load says so before anything is read
    for done, day in enumerate(days, start=1):
        scored += _day(ws, version, day, as_of)
        if progress:
            progress(done, len(days), f"{day}: {scored:,} rows scored")
    reason = f"version {version} scored {scored:,} rows of {window}; the others it had served or scored already"
    return Outcome(reason, {"version": version, "rows": scored})


def _day(ws: Workspace, version: str, day: date, as_of: datetime) -> int:
    rows = _missing(ws, version, day, as_of)
    for part in _chunks(rows):
        table = score_table(ws, version, part, answers(ws, version, part), as_of)
        keys = [digest(part["record_key"].tolist()), version]
        ws.log.append_scores(table, digest(["scores", *keys])[:32])
    return len(rows)


def _missing(ws: Workspace, version: str, day: date, as_of: datetime) -> pd.DataFrame:
    """Inputs of the day's rows without an answer of this version."""
    window = day_window(day)
    features = inputs_of(load_version(ws, version), ws.policy.features.all)
    rows = ws.log.read_predictions(window, as_of, ["record_key", "event_time", "model_version", *features])
    done = ws.log.read_scores(window, version, as_of)["record_key"]
    return rows[(rows["model_version"] != version) & ~rows["record_key"].isin(done)]


def _chunks(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(rows), CHUNK):
        yield rows.iloc[start : start + CHUNK]


def score_table(ws: Workspace, version: str, rows: pd.DataFrame, found: Floats, as_of: datetime) -> pa.Table:
    """Rows of the table `scores`."""
    import pandas as pd
    import pyarrow as pa

    target, several = ws.policy.label.target, found.ndim == 2
    best = found.argmax(axis=1).astype(np.float64) if several else found
    columns = {"prediction": best, **(dict(zip(target.columns[1:], found.T, strict=True)) if several else {})}
    own = rows[["record_key", "event_time"]].assign(known_at=as_of, model_version=version, **columns)
    own["known_at"] = pd.to_datetime(own["known_at"], utc=True)
    return pa.Table.from_pandas(own, preserve_index=False).replace_schema_metadata(None)
