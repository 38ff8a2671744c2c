"""Erased rows are in no file any more, whatever step a kill came between; everything else stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table
from store_log import DAY, FAR, START, WEEK, labels, open_log, rows

from continual.errors import StoreError
from continual.stores import log_remove
from continual.stores.log import PredictionLog

pytestmark = pytest.mark.integration


def _quarantined(*found: tuple[str, dict[str, Any]]) -> pa.Table:
    more = {"batch_id": "b", "stream": "predictions", "reasons": "r", "known_at": START}
    return pa.Table.from_pylist([{"item_id": item, "row_json": json.dumps(row), **more} for item, row in found])


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    log = open_log(tmp_path)
    for day in range(3):
        log.append_predictions(rows(day), f"c{day}")
    log.append_labels(labels(("0-1", 1.0, 4), ("1-0", 0.0, 4), ("0-1", 0.0, 5)), "l0")
    log.append_scores(rows(0).select(["record_key", "event_time", "known_at", "model_version", "prediction"]), "s")
    aside = [("i1", {"record_key": "0-1", "x": 1}), ("i1", {"record_key": "k"}), ("i2", {"id": "0-1"})]
    log.append_quarantine(_quarantined(*aside), "q")
    return log


def _files(tmp_path: Path) -> Iterable[Path]:
    return (tmp_path / "warehouse" / "flights").rglob("*.parquet")


def _texts_on_disk(tmp_path: Path) -> set[str]:
    """Every text in every data file, reachable or not."""
    found: set[str] = set()
    for path in _files(tmp_path):
        table = pq.read_table(path)
        for column in table.columns:
            found |= {str(value) for value in column.to_pylist()}
    return found


def _assert_gone(log: PredictionLog, tmp_path: Path) -> None:
    texts = _texts_on_disk(tmp_path)
    assert not [text for text in texts if "0-1" in text and not text.startswith("2026")]
    for table in log.erasure.tables.values():
        _assert_nothing_unneeded(table.load(), tmp_path)
    left = log.read_predictions(WEEK, FAR)["record_key"].tolist()
    assert left == ["0-0", "0-2", *(f"{day}-{n}" for day in (1, 2) for n in range(3))]
    assert log.read_labels(None, FAR)["record_key"].tolist() == ["1-0"]
    assert log.read_scores(WEEK, "1", FAR)["record_key"].tolist() == ["0-0", "0-2"]
    assert log.read_quarantine()["item_id"].tolist() == ["i1"]


def _assert_nothing_unneeded(table: Table | None, tmp_path: Path) -> None:
    """Manifests hold the smallest and largest key of a file: none on disk may name a file that is gone."""
    assert table is not None
    needed = {p.removeprefix("file://") for p in log_remove._files(table, table.metadata.snapshots)}
    folder = tmp_path / "warehouse" / "flights" / table.name()[1]
    assert {str(path) for kind in ("*.avro", "*.parquet") for path in folder.rglob(kind)} == needed
    assert set().union(*(log_remove._mentioned(table, s) for s in table.metadata.snapshots)) <= {
        *log_remove._files(table, table.metadata.snapshots)
    }


def test_erased_keys_are_in_no_file_and_no_snapshot(log: PredictionLog, tmp_path: Path) -> None:
    old = log.snapshot_id("predictions")
    found = log.erasure.erase(["0-1", "unknown"])
    assert found.days == {date(2026, 1, 1): 1}
    assert found.rows == {"predictions": 1, "labels": 2, "scores": 1, "quarantine": 2}
    assert found.items == {"i1": 1, "i2": 1}
    _assert_gone(log, tmp_path)
    assert len(log._keys()) == 8
    with pytest.raises(StoreError, match="expired"):
        log.read_predictions(WEEK, FAR, snapshot_id=old)
    again = log.erasure.erase(["0-1"])
    assert sum(again.rows.values()) == 0
    assert log.split_new(rows(0))[0].column("record_key").to_pylist() == ["0-1"]


def test_s06_what_was_appended_before_an_erasure_is_not_appended_again(log: PredictionLog) -> None:
    log.erasure.erase(["0-1"])
    for day in range(3):
        log.append_predictions(rows(day), f"c{day}")
    log.append_labels(labels(("0-1", 1.0, 4)), "l0")
    log.append_quarantine(_quarantined(("i9", {})), "q")
    assert len(log.read_predictions(WEEK, FAR)) == 8
    assert len(log.read_labels(None, FAR)) == len(log.read_quarantine()) == 1


STEPS = ("_delete", "_expire_replaced", "_expire", "_delete_files")


class _Killed(BaseException):
    """As a kill: nothing may handle it."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_s59_an_erasure_that_stopped_anywhere_is_finished_by_the_next(
    log: PredictionLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    """The first call of each step ends the run, before or after its commit."""
    real: Callable[..., Any] = getattr(log_remove, step)

    def fatal(*arguments: Any) -> Any:
        if when == "after":
            real(*arguments)
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(log_remove, step, fatal)
        with pytest.raises(_Killed):
            log.erasure.erase(["0-1"])
    again = open_log(tmp_path)
    again.erasure.erase(["0-1"])
    _assert_gone(again, tmp_path)
    for table in again.erasure.tables.values():
        properties = table.load().properties  # type: ignore[union-attr]
        assert not {log_remove.REPLACED, log_remove.DOOMED} & properties.keys()


def test_retention_drops_whole_days_and_what_belongs_to_them(log: PredictionLog, tmp_path: Path) -> None:
    found = log.erasure.expire_before(START + 2 * DAY + timedelta(hours=5))
    assert found.days == {date(2026, 1, 1): 3, date(2026, 1, 2): 3}
    assert found.items == {"i1": 2, "i2": 1}
    assert log.read_predictions(WEEK, FAR)["record_key"].tolist() == ["2-0", "2-1", "2-2"]
    assert len(log.read_scores(WEEK, "1", FAR)) == 0
    assert len(log.read_labels(None, FAR)) == 2  # known later: their own day has not come
    assert not [text for text in _texts_on_disk(tmp_path) if text in {"1-1", "1-2", "0-0"}]
    assert sum(log.erasure.expire_before(START + 2 * DAY).rows.values()) == 0


def test_expired_snapshots_leave_the_rows_and_the_named_snapshots(log: PredictionLog, tmp_path: Path) -> None:
    table = log._log("predictions").load()
    assert table is not None
    first, second, newest = [snapshot.snapshot_id for snapshot in table.metadata.snapshots]
    manifests = len(list((tmp_path / "warehouse/flights/predictions").rglob("*.avro")))
    assert log.erasure.expire_snapshots(FAR.replace(year=2100), keep=[second]) == 1
    assert len(log.read_predictions(WEEK, FAR)) == 9
    assert len(log.read_predictions(WEEK, FAR, snapshot_id=second)) == 6
    with pytest.raises(StoreError, match="expired"):
        log.read_predictions(WEEK, FAR, snapshot_id=first)
    assert len(list((tmp_path / "warehouse/flights/predictions").rglob("*.avro"))) < manifests
    assert log.append_predictions(rows(0), "c0") == first
    assert log.snapshot_id("predictions") == newest
