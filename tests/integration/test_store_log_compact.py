"""Many small files become one: every answer of the log stays, and nobody looks at the days again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store_log import DAY, FAR, START, WEEK, labels, open_log, rows

from continual.stores import key_index, log_compact
from continual.stores.log import PredictionLog

pytestmark = pytest.mark.integration
TIMES = 6


def _part(day: int, number: int) -> pa.Table:
    return rows(day, prefix=f"{number}:")


def _deliver(log: PredictionLog, day: int) -> None:
    for number in range(TIMES):
        log.append_predictions(_part(day, number), f"c{day}.{number}")
        log.append_labels(labels((f"{number}:{day}-0", 1.0, day + 2)), f"l{day}.{number}")


@pytest.fixture
def log(tmp_path: Path) -> PredictionLog:
    log = open_log(tmp_path)
    for day in range(3):
        _deliver(log, day)
    return log


def _count(log: PredictionLog, stream: str) -> int:
    return len(list(log._log(stream).load().scan().plan_files()))  # type: ignore[arg-type,union-attr]


def _answers(log: PredictionLog) -> dict[str, object]:
    return {
        "rows": log.read_labelled(WEEK, FAR).astype(str).to_dict("list"),
        "earlier": log.read_labelled(WEEK, START + 2.5 * DAY).astype(str).to_dict("list"),
        "touched": log.touched_days(START + DAY, FAR),
        "logged": log.logged_days(FAR),
        "corrections": sorted(map(str, log.label_rows(FAR).to_dict("records"))),
        "known": [log.split_new(_part(day, 0))[1] for day in range(4)],
    }


def test_files_of_a_day_become_one_and_every_answer_stays(log: PredictionLog, tmp_path: Path) -> None:
    log.append_predictions(rows(4), "a day of one file")
    before, heads, pinned = _answers(log), log.heads(), log.snapshot_id("predictions")
    assert (_count(log, "predictions"), _count(log, "labels")) == (3 * TIMES + 1, 3 * TIMES)
    assert log.erasure.compact() == (6 * TIMES, 6)
    assert (_count(log, "predictions"), _count(log, "labels")) == (4, 3)
    assert _answers(log) == before
    assert _answers(open_log(tmp_path)) == before
    assert log.added_days(heads) == []
    assert len(log.read_predictions(WEEK, FAR, snapshot_id=pinned)) == 3 * 3 * TIMES + 3
    assert log.erasure.compact() == (0, 0)
    assert log.append_predictions(_part(0, 0), "c0.0") != log.snapshot_id("predictions")  # known by its commit id


def test_days_that_changed_are_found_through_files_that_were_put_together(log: PredictionLog) -> None:
    days, heads = log.logged_days(FAR), log.heads()
    log.append_predictions(rows(1, prefix="late:"), "late")
    log.append_labels(labels(("0:0-1", 0.0, 4)), "late")
    log.erasure.compact()
    between = log.heads()
    assert set(log.added_days(heads)) == {days[0], days[1], days[2]}  # day 2's labels were known when the late one was
    for number in range(TIMES):
        log.append_predictions(rows(2, prefix=f"again{number}:"), f"again{number}")
    log.erasure.compact()
    assert log.added_days(between) == [days[2]]


def test_the_index_of_keys_follows_without_reading_a_file_again(
    log: PredictionLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = PredictionLog(log.catalog_uri, log.warehouse, "flights", tmp_path / "elsewhere")
    assert other.split_new(_part(0, 0))[1] == 3
    log.append_predictions(rows(1, prefix="late:"), "late")  # the other one does not know it when the files go
    log.erasure.compact()
    log.append_predictions(rows(2, prefix="late:"), "later")
    read: list[int] = []
    real = key_index._pairs
    monkeypatch.setattr(key_index, "_pairs", lambda table, task: read.append(1) or real(table, task))
    for one, files in ((log, 1), (other, 2)):  # what came since each was asked: `later`, and `late`
        read.clear()
        assert one.split_new(pa.concat_tables([_part(0, 0), rows(1, prefix="late:"), rows(2, prefix="late:")]))[1] == 9
        assert len(read) == files
    assert len(other._keys()) == 3 * 3 * TIMES + 6


def _assert_gone(folder: Path, key: str) -> None:
    files = list((folder / "warehouse").rglob("*.parquet"))
    assert files and not [path for path in files if key in pq.read_table(path).column("record_key").to_pylist()]


def test_rows_erased_after_their_files_were_put_together_are_in_no_snapshot(log: PredictionLog, tmp_path: Path) -> None:
    log.erasure.compact()
    log.erasure.erase(["3:1-0"])
    _assert_gone(tmp_path, "3:1-0")
    assert len(log.read_predictions(WEEK, FAR)) == 3 * 3 * TIMES - 1


def test_what_another_writer_rewrote_meanwhile_is_left_alone(log: PredictionLog, tmp_path: Path) -> None:
    real = log_compact._together
    done: list[int] = []

    def erased_first(table: object, tasks: object) -> object:
        if not done:
            done.append(1)
            open_log(tmp_path).erasure.erase(["3:1-0"])
        return real(table, tasks)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_compact, "_together", erased_first)
        log.erasure.compact()
    left = log.read_predictions(WEEK, FAR)
    assert len(left) == 3 * 3 * TIMES - 1 and "3:1-0" not in set(left["record_key"])
    _assert_gone(tmp_path, "3:1-0")


def test_what_killed_writers_left_goes_and_nothing_else(log: PredictionLog, tmp_path: Path) -> None:
    before = _answers(log)
    log.append_labels(labels(("none", 1.0, 2)), "others")
    table = log._log("predictions").load()
    assert table is not None
    # as a compaction that was killed before its commit
    left = log_compact._together(table, list(table.scan().plan_files())[:2])
    stray = [Path(file.file_path.removeprefix("file://")) for file in left]
    assert log.erasure.sweep(datetime.now(UTC) - DAY) == 0
    assert log.erasure.sweep(datetime.now(UTC) + DAY) == len(stray)
    assert not any(path.exists() for path in stray)
    assert open_log(tmp_path).erasure.sweep(datetime.now(UTC) + DAY) == 0
    assert {name: _answers(log)[name] for name in ("rows", "known")} == {
        name: before[name] for name in ("rows", "known")
    }


def test_nothing_is_swept_where_needed_files_are_not_found_below_the_table(log: PredictionLog, tmp_path: Path) -> None:
    """As on a disk that spells names another way: everything would look as if nobody needed it."""
    needed = next((tmp_path / "warehouse" / "flights" / "predictions").rglob("*.parquet"))
    needed.rename(tmp_path / "elsewhere.parquet")
    before = sorted((tmp_path / "warehouse" / "flights" / "predictions").rglob("*"))
    assert log.erasure.sweep(datetime.now(UTC) + DAY) == 0
    assert sorted((tmp_path / "warehouse" / "flights" / "predictions").rglob("*")) == before
