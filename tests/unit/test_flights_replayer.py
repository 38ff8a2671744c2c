"""Traffic in simulated time: what lands in the folders, when, and that it stays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from continual.core.window import Window
from continual.demo.flights import EXTRA, FEATURES, INTEGERS, NUMERIC, TAGS
from continual.demo.replayer import Replayer
from continual.expectations.schema import check_labels, check_predictions, kinds_of
from continual.sources.folder import Folder

KINDS = kinds_of(numeric=[*NUMERIC, *EXTRA], text=["carrier", "origin", "dest", *TAGS])


def window(start: int, end: int) -> Window:
    return Window(datetime(2013, 7, start, tzinfo=UTC), datetime(2013, 7, end, tzinfo=UTC))


@pytest.fixture
def frame() -> pd.DataFrame:
    """Five flights: two on the 1st (one lands on the 2nd), two on the 2nd (one never), one on the 3rd."""
    n = 5
    names: dict[str, Any] = {name: ["x"] * n for name in (*FEATURES, *TAGS)}
    numbers: dict[str, Any] = {name: np.arange(n, dtype=float) for name in NUMERIC} | {"plane_age": [np.nan] * n}
    integers: dict[str, Any] = {name: np.arange(n) for name in INTEGERS}
    hours = ["01T10", "01T23", "02T00", "02T12", "03T05"]
    known = ["01T14", "02T03", "02T04", None, "03T09"]
    return pd.DataFrame(
        {
            **names | numbers | integers,
            "record_key": [f"k{i}" for i in range(n)],
            "event_time": pd.to_datetime([f"2013-07-{h}:00Z" for h in hours]),
            "late": [0.0, 1.0, 0.0, np.nan, 1.0],
            "known_at": pd.to_datetime([f"2013-07-{h}:00Z" if h else None for h in known], utc=True),
        }
    )


def landed(home: Path, stream: str) -> dict[str, pa.Table]:
    folder = home / "landing" / "flights" / stream
    return {path.stem: pq.read_table(path) for path in sorted(folder.iterdir())}


def keys(tables: dict[str, pa.Table]) -> dict[str, list[str]]:
    return {day: table["record_key"].to_pylist() for day, table in tables.items()}


def test_history_is_logged_without_model_and_prediction(tmp_path: Path, frame: pd.DataFrame) -> None:
    written = Replayer(tmp_path, frame).play(window(1, 3))
    assert [f"{path.parent.name}/{path.stem}" for path in written] == [
        "predictions/2013-07-01",
        "labels/2013-07-01",
        "predictions/2013-07-02",
        "labels/2013-07-02",
    ]
    tables = landed(tmp_path, "predictions")
    assert keys(tables) == {"2013-07-01": ["k0", "k1"], "2013-07-02": ["k2", "k3"]}
    assert tables["2013-07-01"]["prediction"].null_count == 2
    assert tables["2013-07-01"]["model_version"].null_count == 2
    assert len({str(table.schema) for table in tables.values()}) == 1


def test_labels_land_on_the_day_they_became_known(tmp_path: Path, frame: pd.DataFrame) -> None:
    Replayer(tmp_path, frame).play(window(1, 4))
    tables = landed(tmp_path, "labels")
    assert keys(tables) == {"2013-07-01": ["k0"], "2013-07-02": ["k1", "k2"], "2013-07-03": ["k4"]}
    assert tables["2013-07-02"]["value"].to_pylist() == [1.0, 0.0]
    assert set(tables["2013-07-02"]["source"].to_pylist()) == {"arrivals"}


def test_score_gets_the_day_without_labels_and_its_version_is_logged(tmp_path: Path, frame: pd.DataFrame) -> None:
    seen: list[list[str]] = []

    def score(day: pd.DataFrame) -> tuple[np.ndarray, str]:
        seen.append(list(day.columns))
        return np.linspace(0.1, 0.2, len(day)), f"v{len(seen)}"

    Replayer(tmp_path, frame, score).play(window(1, 3))
    assert seen == [["record_key", "event_time", *FEATURES, *TAGS]] * 2
    tables = landed(tmp_path, "predictions")
    assert tables["2013-07-02"]["model_version"].to_pylist() == ["v2", "v2"]
    assert tables["2013-07-02"]["prediction"].to_pylist() == [0.1, 0.2]


def test_same_input_same_bytes_and_a_second_play_changes_nothing(tmp_path: Path, frame: pd.DataFrame) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    written = Replayer(one, frame).play(window(1, 4))
    again = Replayer(two, frame).play(window(1, 2)) + Replayer(two, frame).play(window(2, 4))
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]
    before = [path.stat().st_mtime_ns for path in written]
    assert Replayer(one, frame).play(window(1, 4)) == []
    assert [path.stat().st_mtime_ns for path in written] == before


def test_what_was_served_stays_when_another_model_serves(tmp_path: Path, frame: pd.DataFrame) -> None:
    Replayer(tmp_path, frame, lambda day: (np.full(len(day), 0.1), "1")).play(window(1, 2))
    Replayer(tmp_path, frame, lambda day: (np.full(len(day), 0.9), "2")).play(window(1, 3))
    versions = [table["model_version"][0].as_py() for table in landed(tmp_path, "predictions").values()]
    assert versions == ["1", "2"]


def test_no_file_for_a_day_without_rows_and_nothing_unfinished_stays(tmp_path: Path, frame: pd.DataFrame) -> None:
    Replayer(tmp_path, frame).play(window(3, 6))
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["2013-07-03.parquet", "2013-07-03.parquet"]


def test_only_whole_days_and_whole_answers(tmp_path: Path, frame: pd.DataFrame) -> None:
    noon = Window(datetime(2013, 7, 1, 12, tzinfo=UTC), datetime(2013, 7, 2, tzinfo=UTC))
    with pytest.raises(ValueError, match="whole UTC days"):
        Replayer(tmp_path, frame).play(noon)
    with pytest.raises(ValueError, match="one probability per row, got 1 for 2"):
        Replayer(tmp_path, frame, lambda day: (np.zeros(1), "1")).play(window(1, 2))


def test_the_folder_source_and_the_schema_accept_what_lands(tmp_path: Path, frame: pd.DataFrame) -> None:
    Replayer(tmp_path, frame, lambda day: (np.full(len(day), 0.5), "1")).play(window(1, 3))
    source = Folder(predictions="landing/flights/predictions", labels="landing/flights/labels")
    as_of = datetime(2013, 7, 3, tzinfo=UTC)
    for ref in source.batches("predictions", as_of, tmp_path):
        outcome = check_predictions(source.read(ref).to_pandas(), as_of, KINDS, ref.date)
        assert outcome.reason == "2 rows passed"
    sizes = [
        check_labels(source.read(ref).to_pandas(), as_of, ref.date).reason
        for ref in source.batches("labels", as_of, tmp_path)
    ]
    assert sizes == ["1 rows passed", "2 rows passed"]
