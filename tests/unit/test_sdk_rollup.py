"""Small files of a logger become few, whatever goes wrong on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from continual.sdk._inbox import Inbox, InboxFile, encode
from continual.sdk._rollup import MARGIN, TOGETHER, Rollup
from continual.sdk._rows import prepared

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def one(number: int, when: datetime = NOON, **more: Any) -> InboxFile:
    row = {"record_key": f"k{number:05d}", "event_time": when, "model_version": "1", "prediction": 0.5, **more}
    (file,) = encode("loans", [("predictions", prepared([row], "predictions", when))])
    return file


def write(inbox: Inbox, rollup: Rollup, file: InboxFile, now: datetime = NOON) -> int:
    inbox.write(file)
    return rollup.written(file, now)


def tables(inbox: Inbox) -> list[pa.Table]:
    return [pq.read_table(path) for path in sorted(Path(inbox.location).rglob("*.parquet"))]


def keys(inbox: Inbox) -> list[str]:
    return sorted(key for table in tables(inbox) for key in table["record_key"].to_pylist())


def test_sixteen_files_of_a_size_become_one_and_no_row_is_lost_or_doubled(tmp_path: Path) -> None:
    inbox = Inbox(str(tmp_path))
    rollup, n = Rollup(inbox, 1000), TOGETHER**2 + TOGETHER + 3
    fewer = sum(write(inbox, rollup, one(i)) for i in range(n))
    assert sorted((t.num_rows for t in tables(inbox)), reverse=True) == [TOGETHER**2, TOGETHER, 1, 1, 1]
    assert len(tables(inbox)) == n - fewer
    assert keys(inbox) == [f"k{i:05d}" for i in range(n)]
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_file_that_is_large_enough_stays_as_it_is(tmp_path: Path) -> None:
    inbox = Inbox(str(tmp_path))
    rollup = Rollup(inbox, most_rows=TOGETHER)
    for i in range(TOGETHER**2):
        write(inbox, rollup, one(i))
    assert [t.num_rows for t in tables(inbox)] == [TOGETHER] * TOGETHER


def test_files_of_other_columns_or_days_are_kept_apart(tmp_path: Path) -> None:
    inbox = Inbox(str(tmp_path))
    rollup = Rollup(inbox, 1000)
    for i in range(TOGETHER):
        write(inbox, rollup, one(2 * i))
        write(inbox, rollup, one(2 * i + 1, region="north"))
    assert sorted(t.column_names[-1] for t in tables(inbox)) == ["prediction", "region"]


@pytest.mark.parametrize("ends", [timedelta(0), MARGIN - timedelta(seconds=1)])
def test_files_of_a_day_that_is_or_may_be_listed_by_ingest_are_not_touched(tmp_path: Path, ends: timedelta) -> None:
    inbox, midnight = Inbox(str(tmp_path)), datetime(2024, 1, 3, tzinfo=UTC)
    rollup = Rollup(inbox, 1000)
    for i in range(TOGETHER - 1):
        write(inbox, rollup, one(i))
    assert write(inbox, rollup, one(TOGETHER), midnight - ends) == 0
    assert len(tables(inbox)) == TOGETHER


class Broken(Inbox):
    """Fails at one step of a merge."""

    step = ""

    def read(self, name: str) -> bytes:
        return self._or_fail("read") or super().read(name)

    def remove(self, name: str) -> None:
        self._or_fail("remove")
        super().remove(name)

    def _or_fail(self, step: str) -> bytes:
        if self.step == step:
            raise OSError(step)
        return b""


@pytest.mark.parametrize("step", ["read", "remove"])
def test_a_merge_that_fails_half_way_loses_nothing_and_the_next_one_works(tmp_path: Path, step: str) -> None:
    inbox = Broken(str(tmp_path))
    rollup = Rollup(inbox, 1000)
    for i in range(TOGETHER - 1):
        write(inbox, rollup, one(i))
    Broken.step = step
    with pytest.raises(OSError, match=step):
        write(inbox, rollup, one(TOGETHER - 1))
    Broken.step = ""
    assert set(keys(inbox)) == {f"k{i:05d}" for i in range(TOGETHER)}  # ingest drops what came twice
    fewer = sum(write(inbox, rollup, one(i)) for i in range(TOGETHER, 2 * TOGETHER))
    assert fewer == TOGETHER - 1
