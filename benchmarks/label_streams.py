"""The streams of the label benchmark: rows in order of time, features, label and slices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from continual.demo.flights import CATEGORICAL, NUMERIC, load

NAMES = ("elec2", "capital_bikeshare", "storms", "noaa_weather", "ma_employment", "flights")
#: Every third flight: 109,000 rows say the same in a third of the time.
EVERY = 3


@dataclass(frozen=True)
class Stream:
    """x: (n, d). y: (n,) class index or value. time: (n,). slices: name -> (n,) members. task: binary, multi, reg."""

    name: str
    task: str
    x: pd.DataFrame
    y: np.ndarray
    time: np.ndarray
    categorical: tuple[str, ...]
    slices: dict[str, np.ndarray]

    @property
    def keys(self) -> np.ndarray:
        return np.array([f"{self.name}-{i}" for i in range(len(self.y))], dtype=object)


def stream(name: str, data: Path, cache: Path) -> Stream:
    return _flights(cache) if name == "flights" else _stored(name, data)


def _stored(name: str, data: Path) -> Stream:
    about = json.loads((data / "sets.json").read_text())[name]
    rows = pd.read_parquet(data / f"{name}.parquet").sort_values("ts", kind="stable").reset_index(drop=True)
    y = rows[about["target"]]
    y = pd.Categorical(y).codes if about["task"] == "multi" else y
    slices = {f"{c}={v}": (rows[c] == v).to_numpy() for c in about["slices"] for v in sorted(rows[c].dropna().unique())}
    names = tuple(about["categorical"])
    return _of(name, about["task"], rows[[*about["numeric"], *names]], y, rows["ts"], names, slices)


def _flights(cache: Path) -> Stream:
    rows = load(cache)
    rows = rows[rows["late"].notna()].iloc[::EVERY].reset_index(drop=True)
    slices = {f"{c}={v}": (rows[c] == v).to_numpy() for c in ("carrier", "origin") for v in sorted(rows[c].unique())}
    slices["new_aircraft"] = (rows["plane_age"] <= 1).to_numpy()
    time = rows["event_time"].dt.tz_localize(None)
    return _of("flights", "binary", rows[[*CATEGORICAL, *NUMERIC]], rows["late"], time, CATEGORICAL, slices)


def _of(
    name: str,
    task: str,
    x: pd.DataFrame,
    y: pd.Series,
    time: pd.Series,
    names: tuple[str, ...],
    slices: dict[str, np.ndarray],
) -> Stream:
    x = x.assign(**{c: x[c].astype(str) for c in names})
    moments = time.to_numpy(dtype="datetime64[us]")
    return Stream(name, task, x, np.asarray(y, dtype=float), moments, names, slices)
