"""The flagship stream against the published facts of its data and against itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from continual.demo import flights
from continual.errors import BatchError


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def frame(home: Path) -> pd.DataFrame:
    return flights.load(home)


def test_size_missing_labels_and_base_rate(frame: pd.DataFrame) -> None:
    assert frame.shape == (336_776, 22)
    assert int(frame["late"].isna().sum()) == 9_430
    assert round(float(frame["late"].mean()), 3) == 0.237
    assert frame["record_key"].is_unique
    assert int((frame["plane_age"] <= 1).sum()) == 11_882


def test_columns_and_types(frame: pd.DataFrame) -> None:
    own = ["record_key", "event_time"]
    assert list(frame.columns) == [*own, *flights.FEATURES, *flights.TAGS, "late", "known_at"]
    assert str(frame["event_time"].dtype) == str(frame["known_at"].dtype) == "datetime64[us, UTC]"
    assert (frame[list(flights.INTEGERS)].dtypes == "int64").all()
    floats = [name for name in flights.NUMERIC if name not in flights.INTEGERS]
    assert (frame[floats].dtypes == "float64").all()


def test_ordered_by_event_time(frame: pd.DataFrame) -> None:
    assert frame["event_time"].is_monotonic_increasing


def test_labels_come_after_their_prediction_and_only_with_an_instant(frame: pd.DataFrame) -> None:
    assert (frame["late"].notna() == frame["known_at"].notna()).all()
    assert (frame["known_at"].dropna() > frame["event_time"][frame["known_at"].notna()]).all()


def test_one_flight_by_hand(frame: pd.DataFrame) -> None:
    # UA1545 EWR-IAH, 1 January, scheduled 05:15, left +2, arrived +11, 227 minutes in the air; tail N14228 of 1999
    row = frame.set_index("record_key").loc["UA1545-EWR-IAH-20130101T0515"]
    assert row["event_time"] == pd.Timestamp("2013-01-01T08:15Z")
    assert row["known_at"] == pd.Timestamp("2013-01-01T10:15Z") + pd.Timedelta(minutes=2 + 227 + 25)
    assert (row["late"], row["minute_of_day"], row["departure_block"]) == (0.0, 315, "morning")
    assert (row["day_of_year"], row["day_of_week"], row["plane_age"], row["distance"]) == (1, 1, 14, 1400)


def test_summer_time_is_four_hours_from_utc(frame: pd.DataFrame) -> None:
    july = frame[frame["day_of_year"] == 182]
    local = (july["event_time"] + pd.Timedelta(hours=2)).dt.tz_convert("America/New_York")
    assert (local.dt.hour * 60 + local.dt.minute == july["minute_of_day"]).all()


def test_origin_delay_sees_only_flights_that_had_landed(frame: pd.DataFrame) -> None:
    raw = pd.read_csv(flights.data_folder() / "flights.csv.zip")
    clock = raw["sched_dep_time"].astype(str).str.zfill(4)
    date = pd.to_datetime(raw[["year", "month", "day"]]).dt.strftime("%Y%m%dT")
    number = raw["carrier"] + raw["flight"].astype(str)
    raw.index = pd.Index(number + "-" + raw["origin"] + "-" + raw["dest"] + "-" + date + clock)
    delay = frame["record_key"].map(raw["arr_delay"])
    for position in np.random.default_rng(0).integers(0, len(frame), 20):
        row = frame.iloc[position]
        age = row["event_time"] - frame["known_at"]
        seen = (frame["origin"] == row["origin"]) & (age >= pd.Timedelta(0)) & (age < pd.Timedelta(hours=3))
        np.testing.assert_allclose(row["origin_delay"], delay[seen].mean())


def test_blocks_cover_the_day(frame: pd.DataFrame) -> None:
    found = frame.groupby("departure_block")["minute_of_day"].agg(["min", "max"])
    assert set(found.index) <= set(flights.BLOCKS)
    assert found.loc["morning", "min"] >= 300
    assert found.loc["morning", "max"] < 660
    assert found.loc["evening", "min"] >= 1140


def test_second_load_reads_the_cache(home: Path, frame: pd.DataFrame) -> None:
    (cached,) = (home / "cache").iterdir()
    written = cached.stat().st_mtime_ns
    pd.testing.assert_frame_equal(flights.load(home), frame)
    assert cached.stat().st_mtime_ns == written


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BatchError, match=r"continual\[demo\]"):
        flights.data_folder()
