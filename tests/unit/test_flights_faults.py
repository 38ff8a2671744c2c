"""The faults of the story do what the story says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skops.io
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline

from continual.demo.faults import TwelveHourClock, UtcClock, kept, malform, redeliver

FAULTS = [UtcClock(offset=240), TwelveHourClock(after="2013-07-31")]


@pytest.fixture
def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "minute_of_day": [600, 600, 1300, 600],
            "plane_age": [0.0, 1.0, 1.0, None],
            "day_of_year": [212, 213, 213, 213],  # 31 July, 1 August
        },
        index=pd.Index([9, 8, 7, 6]),
    )


def test_training_times_stay_right_and_served_times_of_new_aircraft_are_utc(rows: pd.DataFrame) -> None:
    clock = UtcClock()
    assert clock.fit_transform(rows, None)["minute_of_day"].tolist() == [600, 600, 1300, 600]
    assert clock.transform(rows)["minute_of_day"].tolist() == [840, 840, 100, 600]


def test_fault_acts_between_fitting_and_scoring_of_one_pipeline(rows: pd.DataFrame) -> None:
    pipeline = make_pipeline(UtcClock(), "passthrough").fit(rows)
    assert pipeline.transform(rows)["minute_of_day"].tolist() == [840, 840, 100, 600]
    trained = make_pipeline(UtcClock(), "passthrough").fit_transform(rows)
    assert trained["minute_of_day"].tolist() == [600, 600, 1300, 600]


def test_twelve_hour_clock_is_right_until_its_table_ends(rows: pd.DataFrame) -> None:
    assert TwelveHourClock(after="2013-07-31").transform(rows)["minute_of_day"].tolist() == [600, 1320, 580, 600]
    assert TwelveHourClock(after="2013-08-01").transform(rows)["minute_of_day"].tolist() == [600, 600, 1300, 600]
    assert TwelveHourClock(after="2013-07-30").fit_transform(rows)["minute_of_day"].tolist()[0] == 1320


@pytest.mark.parametrize("fault", FAULTS)
def test_input_types_and_other_columns_are_left_alone(fault: UtcClock | TwelveHourClock, rows: pd.DataFrame) -> None:
    before = rows.copy(deep=True)
    after = fault.fit(rows).transform(rows)
    pd.testing.assert_frame_equal(rows, before)
    pd.testing.assert_frame_equal(after.drop(columns="minute_of_day"), rows.drop(columns="minute_of_day"))
    assert (after.dtypes == rows.dtypes).all()
    assert after.index.equals(rows.index)


@pytest.mark.parametrize("fault", FAULTS)
def test_survives_clone_and_skops(fault: UtcClock | TwelveHourClock, rows: pd.DataFrame) -> None:
    content = skops.io.dumps(Pipeline([("clock", clone(fault).fit(rows))]))
    untrusted = skops.io.get_untrusted_types(data=content)
    assert untrusted == [f"continual.demo.faults.{type(fault).__name__}"]
    loaded = skops.io.loads(content, trusted=untrusted)
    assert loaded["clock"].get_params() == fault.get_params()
    pd.testing.assert_frame_equal(loaded.transform(rows), fault.transform(rows))


@pytest.fixture
def delivered(tmp_path: Path) -> Path:
    path = tmp_path / "2013-07-01.parquet"
    table = pa.table({"record_key": list("abcd"), "carrier": ["AA"] * 4, "temp": [1.0, 2.0, 3.0, 4.0]})
    pq.write_table(table, path)
    return path


def test_malformed_file_lost_its_column_and_half_its_carriers(delivered: Path) -> None:
    malform(delivered)
    table = pq.read_table(delivered)
    assert table.column_names == ["record_key", "carrier", "temperature"]
    assert table["carrier"].to_pylist() == [None, "AA", None, "AA"]


def test_redelivery_is_the_original_byte_for_byte(delivered: Path) -> None:
    original = delivered.read_bytes()
    malform(delivered)
    malform(delivered)
    assert delivered.read_bytes() != original
    assert redeliver(delivered) == delivered
    assert delivered.read_bytes() == original
    assert not kept(delivered).exists()
    with pytest.raises(FileNotFoundError):
        redeliver(delivered)
