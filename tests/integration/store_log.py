"""A small log for the tests of the store: three rows an hour apart on a day, keys `<day>-<number>`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from continual.core.window import Window
from continual.stores.log import PredictionLog

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
FAR = START + 400 * DAY
WEEK = Window(START, START + 10 * DAY)


def open_log(folder: Path, app: str = "flights") -> PredictionLog:
    return PredictionLog(f"sqlite:///{folder / 'catalog.db'}", (folder / "warehouse").as_uri(), app)


def rows(day: int = 0, n: int = 3, prefix: str = "", **columns: Any) -> pa.Table:
    at = [START + day * DAY + timedelta(hours=number) for number in range(n)]
    base: dict[str, Any] = {
        "record_key": [f"{prefix}{day}-{number}" for number in range(n)],
        "event_time": at,
        "known_at": [instant + timedelta(hours=1) for instant in at],
        "model_version": "1",
        "prediction": [number / 10 for number in range(n)],
        "batch_id": f"b{day}",
        "carrier": "AA",
    }
    return pa.Table.from_pandas(pd.DataFrame({**base, **columns}), preserve_index=False)


def labels(*found: tuple[str, float, int]) -> pa.Table:
    """(record key, value, day it is known)."""
    frame = pd.DataFrame(found, columns=["record_key", "value", "known_at"]).assign(source="x", batch_id="l")
    return pa.Table.from_pandas(frame.assign(known_at=[START + day * DAY for day in frame["known_at"]]))


def keys(table: pa.Table) -> list[str]:
    return list(table.column("record_key").to_pylist())
