"""The streams of `benchmarks/policies.py`: five public sets and the flights, cut into batches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

#: set -> (length of a batch, batches before the first model serves). A batch is what comes between two looks.
BATCHES = {
    "elec2": ("7D", 9),
    "noaa_weather": ("91D", 8),
    "capital_bikeshare": ("30D", 12),
    "storms": ("365D", 8),
    "ma_employment": ("30D", 6),
    "flights": ("7D", 6),
}


@dataclass(frozen=True)
class Stream:
    """x: (n, d) frame of features. y: (n,) label; of several classes its index. batch: (n,) number of the row's batch.
    day: (n,) number of its UTC day. task: binary, multi or reg. start: first batch that is served. days: a batch
    counts as so many. metric: kind of the product's metric that is compared."""

    name: str
    x: pd.DataFrame
    y: np.ndarray
    batch: np.ndarray
    day: np.ndarray
    task: str
    start: int
    days: float

    @property
    def metric(self) -> str:
        return {"reg": "r2", "multi": "accuracy"}.get(self.task, "roc_auc" if self.name == "flights" else "accuracy")

    @property
    def batches(self) -> int:
        return int(self.batch.max()) + 1


def load(name: str, folder: Path) -> Stream:
    """A stream by name; `folder` holds sets.json and its Parquet files."""
    length, start = BATCHES[name]
    if name == "flights":
        return _flights(length, start, folder)
    said = json.loads((folder / "sets.json").read_text(encoding="utf-8"))[name]
    frame = pd.read_parquet(folder / f"{name}.parquet").sort_values(said["ts"], ignore_index=True)
    x = _features(frame, said["numeric"], said["categorical"])
    y = frame[said["target"]]
    label = np.unique(y, return_inverse=True)[1] if said["task"] == "multi" else y.to_numpy(dtype=float)
    return _stream(name, x, np.asarray(label, dtype=float), frame[said["ts"]], said["task"], length, start)


def _flights(length: str, start: int, folder: Path) -> Stream:
    from continual.demo import flights

    frame = flights.load(folder)
    frame = frame[frame["late"].notna()].reset_index(drop=True)
    x = _features(frame, list(flights.NUMERIC), list(flights.CATEGORICAL))
    times = frame["event_time"].dt.tz_localize(None)
    return _stream("flights", x, frame["late"].to_numpy(dtype=float), times, "binary", length, start)


def _features(frame: pd.DataFrame, numeric: list[str], categorical: list[str]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name in [*numeric, *categorical]:
        values = frame[name]
        if name in categorical:
            columns[name] = values.astype(str).astype("category")
        else:
            columns[name] = pd.to_numeric(values.astype(str) if values.dtype == "category" else values).astype(float)
    return pd.DataFrame(columns)


def _stream(
    name: str, x: pd.DataFrame, y: np.ndarray, times: pd.Series[Any], task: str, length: str, start: int
) -> Stream:
    step = pd.Timedelta(length)
    number = ((times - times.min().normalize()) // step).to_numpy().astype(int)
    _, dense = np.unique(number, return_inverse=True)  # a batch without a row is none
    day = times.to_numpy("datetime64[D]").astype(np.int64)
    return Stream(name, x, y, dense, day, task, start, 7.0)  # a batch counts as a week: prices and ages are in days
