"""PredictionLog on real Iceberg tables: exactly once, as of an instant, several writers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from store_log import DAY, FAR, START, labels, open_log, rows

from continual.core.window import Window
from continual.errors import BatchError, StoreError
from continual.stores.log import PredictionLog
from continual.stores.log_commit import LogTable
from continual.stores.log_read import within

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]
WEEK = Window(START, START + 7 * DAY)


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    return open_log(tmp_path)


def _keys(frame: pd.DataFrame) -> list[str]:
    return frame["record_key"].tolist()


def test_what_was_written_is_read(log: PredictionLog) -> None:
    log.append_predictions(rows(1), "c1")
    log.append_predictions(rows(0), "c0")
    read = log.read_predictions(WEEK, FAR)
    assert _keys(read) == ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"]
    assert read["event_time"].iloc[0] == pd.Timestamp(START)
    assert str(read["event_time"].dtype) == "datetime64[us, UTC]"
    assert read["row_hash"].nunique() == 6
    assert log.read_predictions(WEEK, FAR, ["carrier", "prediction"]).columns.tolist() == ["carrier", "prediction"]


def test_a_log_without_rows_reads_as_empty(log: PredictionLog) -> None:
    assert log.read_predictions(WEEK, FAR).columns.tolist()[:2] == ["record_key", "event_time"]
    assert len(log.read_labelled(WEEK, FAR)) == len(log.read_labels(None, FAR)) == len(log.read_quarantine()) == 0
    assert log.snapshot_id("predictions") is None
    assert log.split_new(rows())[0].num_rows == 3


def test_windows_are_half_open_and_as_of_is_inclusive(log: PredictionLog) -> None:
    log.append_predictions(rows(0, n=3), "c")
    hour = timedelta(hours=1)
    assert _keys(log.read_predictions(Window(START, START + 2 * hour), FAR)) == ["0-0", "0-1"]
    assert _keys(log.read_predictions(Window(START + hour, FAR), FAR)) == ["0-1", "0-2"]
    assert _keys(log.read_predictions(WEEK, START + 2 * hour)) == ["0-0", "0-1"]


def test_a_commit_id_is_appended_once(log: PredictionLog) -> None:
    first = log.append_predictions(rows(0), "c0")
    second = log.append_predictions(rows(1), "c1")
    assert log.append_predictions(rows(2), "c0") == first != second
    assert log.append_labels(labels(("0-0", 1, 1)), "l") == log.append_labels(labels(("0-1", 1, 1)), "l")
    assert len(log.read_predictions(WEEK, FAR)) == 6
    assert _keys(log.read_labels(None, FAR)) == ["0-0"]
    assert log.snapshot_id("predictions") == second


def test_an_old_snapshot_stays_readable(log: PredictionLog) -> None:
    first = log.append_predictions(rows(0), "c0")
    log.append_predictions(rows(1, wind=1.5), "c1")
    old = log.read_predictions(WEEK, FAR, snapshot_id=first)
    assert len(old) == 3
    assert "wind" not in old
    with pytest.raises(StoreError, match="snapshot 42"):
        log.read_predictions(WEEK, FAR, snapshot_id=42)
    with pytest.raises(StoreError, match="no column nope"):
        log.read_predictions(WEEK, FAR, ["nope"])


def test_s06_a_redelivered_batch_adds_nothing(log: PredictionLog) -> None:
    log.append_predictions(rows(0), "c0")
    again = rows(0, batch_id="other", known_at=FAR)
    new, identical, conflicts = log.split_new(again)
    assert (new.num_rows, identical, conflicts.num_rows) == (0, 3, 0)
    log.append_predictions(pa.concat_tables([again, rows(1)]), "c1")
    assert _keys(log.read_predictions(WEEK, FAR)) == ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"]


def test_s06_a_contradicting_row_is_named_and_not_appended(log: PredictionLog) -> None:
    log.append_predictions(rows(0), "c0")
    changed = rows(0, n=4, prediction=[0.0, 0.9, 0.2, 0.3])
    new, identical, conflicts = log.split_new(changed)
    assert (new.column("record_key").to_pylist(), identical) == (["0-3"], 2)
    assert conflicts.column("record_key").to_pylist() == ["0-1"]
    with pytest.raises(BatchError, match=r"1 rows contradict.*0-1"):
        log.append_predictions(changed, "c1")
    log.append_predictions(new, "c1")
    assert len(log.read_predictions(WEEK, FAR)) == 4


def test_new_columns_join_and_type_conflicts_are_refused(log: PredictionLog) -> None:
    log.append_predictions(rows(0), "c0")
    log.append_predictions(rows(1, **{"wind.gust": [1.0, 2.0, None]}), "c1")
    log.append_predictions(rows(2), "c2")
    read = log.read_predictions(WEEK, FAR)
    assert read["wind.gust"].isna().tolist() == [True] * 3 + [False, False] + [True] * 4
    with pytest.raises(BatchError, match=r"'carrier' must be string.*int64"):
        log.append_predictions(rows(3, carrier=1), "c3")
    assert len(log.read_predictions(WEEK, FAR)) == 9


def test_an_empty_batch_is_remembered(log: PredictionLog) -> None:
    snapshot = log.append_predictions(rows(0).slice(0, 0), "c0")
    assert log.append_predictions(rows(0), "c0") == snapshot
    assert len(log.read_predictions(WEEK, FAR)) == 0


def test_labels_join_as_known_at_the_instant(log: PredictionLog) -> None:
    log.append_predictions(rows(0), "c0")
    log.append_labels(labels(("0-0", 1.0, 1), ("0-1", 0.0, 3), ("unknown", 1.0, 1)), "l0")
    log.append_labels(labels(("0-0", 0.0, 5)), "l1")
    seen = {day: log.read_labelled(WEEK, START + day * DAY)["label"].tolist() for day in (1, 3, 5)}
    assert [[None if pd.isna(v) else v for v in values] for values in seen.values()] == [
        [1.0, None, None],
        [1.0, 0.0, None],
        [0.0, 0.0, None],
    ]
    corrected = log.read_labels(START + 3 * DAY, FAR)
    assert (_keys(corrected), corrected["n_conflicts"].tolist()) == (["0-0"], [0])
    assert log.read_labels(None, FAR).set_index("record_key")["n_conflicts"].to_dict()["0-0"] == 1
    some = log.read_labelled(WEEK, FAR, ["carrier"])
    assert some.columns.tolist() == ["carrier", "label", "label_known_at"]
    assert some["label_known_at"].tolist()[0] == pd.Timestamp(START + 5 * DAY)


def test_quarantine_keeps_rows_by_item(log: PredictionLog) -> None:
    for item in ("i1", "i2"):
        row = {"item_id": item, "batch_id": "b", "stream": "predictions", "row_json": "{}", "reasons": "null jump"}
        log.append_quarantine(pa.Table.from_pylist([{**row, "known_at": START}]), f"q-{item}")
    assert log.read_quarantine("i2")["item_id"].tolist() == ["i2"]
    assert len(log.read_quarantine()) == 2


def test_a_day_is_a_partition_and_a_read_opens_only_its_days(log: PredictionLog) -> None:
    log.append_predictions(pa.concat_tables([rows(day) for day in (3, 0, 1, 2)]), "c")
    table = LogTable(log._catalog, "flights", "predictions").load()
    assert table is not None
    partitions = table.inspect.partitions().to_pylist()
    assert sorted(str(row["partition"]["event_time_part"]) for row in partitions) == [
        f"2026-01-0{day}" for day in (1, 2, 3, 4)
    ]
    assert {row["record_count"] for row in partitions} == {3}
    two_days = Window(START + DAY, START + 3 * DAY)
    assert len(list(table.scan(within("event_time", two_days)).plan_files())) == 2
    assert len(log.read_predictions(two_days, FAR)) == 6


def test_applications_do_not_see_each_other(tmp_path: Path) -> None:
    open_log(tmp_path, "flights").append_predictions(rows(0), "c0")
    assert len(open_log(tmp_path, "bikes").read_predictions(WEEK, FAR)) == 0


def _write(uri: str, warehouse: str, writer: int, count: int, barrier: Barrier) -> None:
    log = PredictionLog(uri, warehouse, "flights")
    for number in range(count):
        barrier.wait(60)
        log.append_predictions(rows(number, prefix="shared-"), f"shared-{number}")
        log.append_predictions(rows(number, prefix=f"{writer}-", **{f"from_{writer}": 1.0}), f"{writer}-{number}")
        log.append_predictions(rows(number, prefix="overlap-"), f"overlap-{writer}-{number}")


def _race(uri: str, warehouse: str, writers: int, count: int) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(writers)
    arguments = [(uri, warehouse, writer, count, barrier) for writer in range(writers)]
    processes = [context.Process(target=_write, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * writers
    read = PredictionLog(uri, warehouse, "flights").read_predictions(Window(START, FAR), FAR)
    prefixes = [*(f"{writer}-" for writer in range(writers)), "shared-", "overlap-"]
    assert sorted(_keys(read)) == sorted(f"{p}{day}-{n}" for p in prefixes for day in range(count) for n in range(3))
    assert {f"from_{writer}" for writer in range(writers)} <= set(read.columns)


def test_s32_two_processes_append_at_once_and_no_row_is_lost_or_doubled(tmp_path: Path) -> None:
    _race(f"sqlite:///{tmp_path / 'catalog.db'}", (tmp_path / "warehouse").as_uri(), writers=2, count=6)


def test_s32_the_same_on_a_postgresql_catalog(tmp_path: Path, new_postgres: Callable[[], str]) -> None:
    _race(new_postgres(), (tmp_path / "warehouse").as_uri(), writers=3, count=3)


def test_a_catalog_that_is_down_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="catalog of the prediction log must answer"):
        PredictionLog(f"postgresql://a:secret@/x?host={tmp_path}", tmp_path.as_uri(), "flights").snapshot_id("labels")
