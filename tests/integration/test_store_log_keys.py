"""One key, one record, on whatever day; labels that find their prediction; scores; all on real Iceberg tables."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyiceberg.manifest import ManifestFile
from pyiceberg.schema import Schema
from store_log import DAY, FAR, START, WEEK, keys, labels, open_log, rows

from continual.core.window import Window
from continual.errors import BatchError
from continual.stores.log import PredictionLog
from continual.stores.log_days import added
from continual.stores.log_schema import iceberg_schema

pytestmark = pytest.mark.integration


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return open_log(tmp_path)


def _index_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "warehouse" / "_keys" / "flights").glob("*.run"))


def test_s06_a_key_redelivered_with_another_event_time_contradicts(log: PredictionLog) -> None:
    log.append_predictions(rows(0), "c0")
    moved = rows(0, event_time=[START + 40 * DAY] * 3)
    new, identical, conflicts = log.split_new(pa.concat_tables([moved, rows(1)]))
    assert (keys(new), identical, keys(conflicts)) == (["1-0", "1-1", "1-2"], 0, ["0-0", "0-1", "0-2"])
    with pytest.raises(BatchError, match="3 rows contradict"):
        log.append_predictions(moved, "c1")


@pytest.mark.parametrize("damage", ["lost", "torn", "foreign", "half"])
def test_s06_an_index_that_is_lost_or_damaged_is_built_again(log: PredictionLog, tmp_path: Path, damage: str) -> None:
    for day in range(3):
        log.append_predictions(rows(day), f"c{day}")
    log.split_new(rows(0))
    files, state = _index_files(tmp_path), tmp_path / "warehouse/_keys/flights/index.json"
    if damage == "lost":
        state.unlink()
    elif damage == "torn":
        files[0].write_bytes(files[0].read_bytes()[:-8])
    elif damage == "foreign":
        state.write_text(state.read_text().replace('"table": "', '"table": "x'))
    else:
        state.write_text(state.read_text()[:30])
    again = open_log(tmp_path)
    assert [again.split_new(rows(day))[1] for day in range(3)] == [3, 3, 3]
    assert again.split_new(rows(9))[0].num_rows == 3


def test_s06_an_index_ahead_of_or_behind_its_log_catches_up(log: PredictionLog, tmp_path: Path) -> None:
    other = PredictionLog(log.catalog_uri, log.warehouse, "flights", tmp_path / "elsewhere")
    log.append_predictions(rows(0), "c0")
    assert other.split_new(rows(0))[1] == 3
    log.append_predictions(rows(1), "c1")
    log.erasure.erase(["0-1"])
    assert other.split_new(pa.concat_tables([rows(0), rows(1)]))[1] == 5
    assert log.split_new(rows(0))[0].num_rows == 1


def test_labels_know_their_day_and_early_ones_wait(log: PredictionLog) -> None:
    log.append_predictions(rows(0), "c0")
    log.append_labels(labels(("0-0", 1.0, 2), ("5-0", 0.0, 2)), "l0")
    stored = log._scan("labels", log_known(FAR)).to_pandas().set_index("record_key")["event_time"]
    assert stored["0-0"] == pd.Timestamp(START)
    assert pd.isna(stored["5-0"])
    waiting = log.unknown_keys(START + 4 * DAY, older_than=2 * DAY)
    assert waiting.values.tolist() == [["5-0", pd.Timestamp(START + 2 * DAY), 1]]
    assert len(log.unknown_keys(START + 3 * DAY, older_than=2 * DAY)) == 0
    log.append_predictions(rows(5), "c5")
    assert log.read_labelled(WEEK, FAR).set_index("record_key")["label"].dropna().to_dict() == {"0-0": 1.0, "5-0": 0.0}
    assert len(log.unknown_keys(FAR, older_than=DAY)) == 0
    assert len(log.unknown_keys(START + 4 * DAY, older_than=DAY)) == 1  # as of then its prediction was not known


def log_known(as_of: datetime):  # type: ignore[no-untyped-def]
    from continual.stores.log_read import known_by

    return known_by(as_of)


def test_s12_a_label_known_long_before_the_window_is_found_by_its_event_time(log: PredictionLog) -> None:
    log.append_predictions(rows(60), "c")
    log.append_labels(labels(("60-0", 1.0, 1)), "l")
    window = Window(START + 60 * DAY, START + 61 * DAY)
    assert log.read_labelled(window, FAR)["label"].dropna().tolist() == [1.0]
    assert log.read_arrow(window, FAR, ["record_key"]).column("label").drop_null().to_pylist() == [1.0]


def test_touched_days_are_those_of_new_rows_and_of_new_labels(log: PredictionLog) -> None:
    assert log.touched_days(None, FAR) == []
    log.append_predictions(rows(0), "c0")
    log.append_predictions(rows(1), "c1")
    late = rows(2, known_at=START + 9 * DAY)
    log.append_predictions(late, "c2")
    log.append_labels(labels(("0-0", 1.0, 6), ("9-0", 1.0, 6), ("1-0", 0.0, 8)), "l")
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(10)]
    assert log.touched_days(None, START + 5 * DAY) == days[:2]
    assert log.touched_days(START + 5 * DAY, START + 7 * DAY) == days[:1]
    assert log.touched_days(START + 7 * DAY, START + 9 * DAY) == days[1:3]
    assert log.touched_days(START + 9 * DAY, FAR) == []
    log.append_predictions(rows(9, known_at=START + 12 * DAY), "c9")  # meets a label that came before
    assert log.touched_days(START + 9 * DAY, FAR) == days[9:]
    split_in_a_file = rows(3, known_at=[START + 20 * DAY, START + 21 * DAY, START + 22 * DAY])
    log.append_predictions(split_in_a_file, "c3")
    assert log.touched_days(START + 20 * DAY, START + 21 * DAY) == days[3:4]


def test_read_arrow_gives_what_read_labelled_gives(log: PredictionLog) -> None:
    for day in range(3):
        log.append_predictions(rows(day), f"c{day}")
    log.append_labels(labels(("0-0", 1.0, 1), ("0-0", 0.0, 3), ("2-1", 1.0, 4), ("x", 1.0, 1)), "l0")
    log.append_labels(labels(("2-1", 0.0, 4)), "l1")
    columns = ["record_key", "carrier", "prediction", "event_time"]
    for as_of in (START + 2 * DAY, FAR):
        found = log.read_arrow(WEEK, as_of, columns, dictionary=["carrier"])
        assert pa.types.is_dictionary(found.schema.field("carrier").type)
        frame = found.to_pandas().astype({"carrier": "str"}).sort_values(["event_time", "record_key"])
        expected = log.read_labelled(WEEK, as_of, columns)
        pd.testing.assert_frame_equal(frame.reset_index(drop=True), expected, check_dtype=False)


def test_a_log_from_before_event_time_of_labels_goes_on_working(log: PredictionLog) -> None:
    log.append_predictions(rows(0), "c0")
    old = iceberg_schema(pa.schema([f for f in _old_labels()]))
    _create_old(log, old)
    log_table = log._log("labels").load()
    assert log_table is not None
    assert log.touched_days(None, FAR) == [date(2026, 1, 1)]
    assert log.read_labelled(WEEK, FAR)["label"].isna().all()
    log_table.append(pa.Table.from_pylist([_old_row()], schema=pa.schema(list(_old_labels()))))
    assert log.read_labelled(WEEK, FAR)["label"].dropna().tolist() == [1.0]
    assert log.unknown_keys(FAR, DAY).empty
    log.append_labels(labels(("0-1", 0.0, 3)), "l1")
    assert log.read_labelled(WEEK, FAR)["label"].tolist()[:2] == [1.0, 0.0]
    assert log.read_arrow(WEEK, FAR, ["record_key"]).column("label").null_count == 1


def _old_labels() -> list[pa.Field]:
    from continual.stores.log_schema import LABELS

    return [field for field in LABELS if field.name != "event_time"]


def _old_row() -> dict[str, object]:
    return {"record_key": "0-0", "value": 1.0, "source": "x", "known_at": START + DAY, "batch_id": "b"}


def _create_old(log: PredictionLog, schema: Schema) -> None:
    from continual.stores.log_schema import partition

    log._catalog.create_table(("flights", "labels"), schema, partition_spec=partition("labels", schema))


def _scores(day: int, version: str, known: int, shift: float = 0.0) -> pa.Table:
    base = rows(day).select(["record_key", "event_time"]).to_pandas()
    frame = base.assign(known_at=START + known * DAY, model_version=version, prediction=[shift, shift + 0.1, None])
    return pa.Table.from_pandas(frame.assign(p_a=0.5, p_b=0.5), preserve_index=False)


def test_scores_are_kept_by_version_and_day_and_read_as_of(log: PredictionLog) -> None:
    assert len(log.read_scores(WEEK, "1", FAR)) == 0
    for version in ("1", "2"):
        for day in range(2):
            assert log.append_scores(_scores(day, version, 3), f"{version}-{day}") == log.append_scores(
                _scores(day, version, 3), f"{version}-{day}"
            )
    log.append_scores(_scores(0, "1", 6, shift=0.5), "again")
    first_day = Window(START, START + DAY)
    assert log.read_scores(first_day, "1", START + 4 * DAY)["prediction"].tolist()[:2] == [0.0, 0.1]
    assert log.read_scores(first_day, "1", FAR)["prediction"].tolist()[:2] == [0.5, 0.6]
    assert len(log.read_scores(WEEK, "2", FAR)) == 6
    assert log.read_scores(WEEK, "2", START).empty
    every = log.read_all_scores(WEEK, FAR).to_pandas()
    assert every.groupby("model_version").size().to_dict() == {"1": 6, "2": 6}
    assert every[every["model_version"] == "1"]["prediction"].max() == 0.6
    with pytest.raises(BatchError, match="also wind"):
        log.append_scores(_scores(0, "1", 3).append_column("wind", pa.array([1.0] * 3)), "bad")


def test_files_written_since_a_snapshot_are_found_without_opening_older_lists(log: PredictionLog) -> None:
    """Lists of files are merged after every few commits here; an erasure rewrites files in between."""
    log.append_predictions(rows(0), "c0")
    table = log._log("predictions")
    with table.load().transaction() as change:
        change.set_properties({"commit.manifest.min-count-to-merge": "3", "commit.manifest-merge.enabled": "true"})
    for day in range(1, 9):
        log.append_predictions(rows(day), f"c{day}")
        if day == 5:
            log.erasure.erase(["2-1"])
    now = table.load()
    snapshots = [one.snapshot_id for one in now.metadata.snapshots]
    for since in [None, *snapshots, 7]:
        before = set()
        if since in snapshots:
            before = {task.file.file_path for task in now.scan(snapshot_id=since).plan_files()}
        expected = {task.file.file_path for task in now.scan().plan_files()} - before
        assert {task.file.file_path for task in added(now, since)} == expected, since
    opened: list[str] = []
    real = ManifestFile.fetch_manifest_entry
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ManifestFile, "fetch_manifest_entry", lambda self, *a, **k: opened.append("") or real(self, *a, **k)
        )
        added(now, now.current_snapshot().parent_snapshot_id)
    assert len(opened) == 1


def test_what_changed_is_looked_up_again_when_the_log_changed(log: PredictionLog) -> None:
    log.append_predictions(rows(0), "c0")
    other, heads = PredictionLog(log.catalog_uri, log.warehouse, "flights"), log.heads()
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(3)]
    assert (log.logged_days(FAR), log.touched_days(START, FAR), log.added_days(heads)) == (days[:1], days[:1], [])
    other.append_predictions(rows(1), "c1")
    assert (log.logged_days(FAR), log.touched_days(START, FAR)) == (days[:2], days[:2])
    assert log.added_days(heads) == days[1:2]
    other.append_labels(labels(("0-0", 1.0, 4)), "l")
    assert log.added_days(heads) == days[:2]
    assert log.logged_days(START) == []
