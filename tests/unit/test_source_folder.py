"""Landing folders: which files are batches, and what their bytes are."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from continual.errors import BatchError
from continual.sources.base import SOURCES, BatchRef, Source
from continual.sources.folder import Folder

UNTIL = datetime(2013, 7, 4, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for stream in ("predictions", "labels"):
        (tmp_path / stream).mkdir()
    return tmp_path


def folder(**fields: str) -> Source:
    built = SOURCES.build({"kind": "folder", "predictions": "predictions", "labels": "labels", **fields})
    assert isinstance(built, Folder)
    return built


def put(home: Path, name: str, keys: tuple[str, ...] = ("a",)) -> Path:
    path = home / "predictions" / name
    pq.write_table(pa.table({"record_key": list(keys)}), path)
    return path


def names(found: list[BatchRef]) -> list[str]:
    return [ref.name for ref in found]


def test_lists_ended_days_in_order_with_the_hash_of_their_bytes(home: Path) -> None:
    for day in ("2013-07-04", "2013-07-02", "2013-07-03"):
        path = put(home, f"{day}.parquet", (day,))
    found = folder().batches("predictions", UNTIL, home)
    assert [ref.date for ref in found] == [date(2013, 7, 2), date(2013, 7, 3)]
    content = (home / "predictions" / "2013-07-03.parquet").read_bytes()
    assert (found[1].content_hash, found[1].n_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert found[1].as_dict()["date"] == "2013-07-03"
    assert folder().read(found[1]).to_pydict() == {"record_key": ["2013-07-03"]}
    assert path.exists()


def test_a_day_that_has_not_ended_is_not_listed(home: Path) -> None:
    put(home, "2013-07-04.parquet")
    assert folder().batches("predictions", datetime(2013, 7, 4, 18, tzinfo=UTC), home) == []
    assert names(folder().batches("predictions", datetime(2013, 7, 5, tzinfo=UTC), home)) == ["2013-07-04.parquet"]


def test_s6_late_file_is_listed_at_its_day_and_a_redelivery_changes_its_hash(home: Path) -> None:
    put(home, "2013-07-03.parquet")
    before = folder().batches("predictions", UNTIL, home)
    put(home, "2013-07-01.parquet")
    put(home, "2013-07-03.parquet", ("a", "b"))
    after = folder().batches("predictions", UNTIL, home)
    assert names(after) == ["2013-07-01.parquet", "2013-07-03.parquet"]
    assert after[1].content_hash != before[0].content_hash


def test_s6_same_bytes_under_two_names_have_one_hash(home: Path) -> None:
    original = put(home, "2013-07-01.parquet")
    (home / "predictions" / "2013-07-02.parquet").write_bytes(original.read_bytes())
    first, second = folder().batches("predictions", UNTIL, home)
    assert first.content_hash == second.content_hash
    assert first.name != second.name


@pytest.mark.parametrize("name", ["july.parquet", "2013-07-41.parquet", "2013-07-01.parquet.bak", "2013-07-01 (1).csv"])
def test_s6_stray_file_is_named_with_a_remedy(home: Path, name: str) -> None:
    put(home, "2013-07-01.parquet")
    (home / "predictions" / name).write_text("x")
    with pytest.raises(BatchError) as caught:
        folder().batches("predictions", UNTIL, home)
    assert name in caught.value.got
    assert "rename it" in caught.value.remedy


def test_s6_folder_that_looks_like_a_batch_is_stray(home: Path) -> None:
    (home / "predictions" / "2013-07-01.parquet").mkdir()
    with pytest.raises(BatchError, match=r"2013-07-01\.parquet"):
        folder().batches("predictions", UNTIL, home)


def test_unfinished_files_are_not_looked_at(home: Path) -> None:
    put(home, "2013-07-01.parquet")
    for name in ("2013-07-02.parquet.tmp", "_SUCCESS", ".2013-07-03.parquet.original"):
        (home / "predictions" / name).write_text("half")
    assert names(folder().batches("predictions", UNTIL, home)) == ["2013-07-01.parquet"]


def test_missing_folder_is_an_error_not_an_empty_stream(home: Path) -> None:
    with pytest.raises(BatchError, match=r"correct source\.labels"):
        folder(labels="lables").batches("labels", UNTIL, home)


def test_unreadable_content_is_an_error_of_that_batch_only(home: Path) -> None:
    put(home, "2013-07-01.parquet")
    (home / "predictions" / "2013-07-02.parquet").write_bytes(b"PAR1 cut off")
    (home / "predictions" / "2013-07-03.parquet").write_bytes(b"")
    good, *broken = folder().batches("predictions", UNTIL, home)
    assert folder().read(good).num_rows == 1
    assert len(broken) == 2
    for ref in broken:
        with pytest.raises(BatchError, match="other batches are not affected"):
            folder().read(ref)


def test_unreadable_bytes_do_not_hide_the_other_batches(home: Path) -> None:
    put(home, "2013-07-02.parquet")
    (home / "predictions" / "2013-07-01.parquet").symlink_to("/proc/self/mem")  # opens, but reading it fails
    broken, good = folder().batches("predictions", UNTIL, home)
    assert (broken.content_hash, len(good.content_hash)) == ("", 64)
    with pytest.raises(BatchError, match=r"2013-07-01\.parquet"):
        folder().read(broken)


def test_file_that_changed_after_listing_is_not_read(home: Path) -> None:
    put(home, "2013-07-01.parquet")
    (ref,) = folder().batches("predictions", UNTIL, home)
    put(home, "2013-07-01.parquet", ("b", "c"))
    with pytest.raises(BatchError, match="changed"):
        folder().read(ref)


def test_hash_follows_the_content_not_only_the_name(home: Path) -> None:
    path = put(home, "2013-07-01.parquet", ("a",))
    (first,) = folder().batches("predictions", UNTIL, home)
    stat = path.stat()
    put(home, "2013-07-01.parquet", ("b",))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    (second,) = folder().batches("predictions", UNTIL, home)
    assert second.n_bytes == first.n_bytes
    assert second.content_hash != first.content_hash


def test_csv_types_are_inferred(home: Path) -> None:
    text = "record_key,event_time,temp\nk1,2013-07-01T10:00:00Z,\nk2,2013-07-01T11:00:00Z,71.5\n"
    (home / "predictions" / "p_2013-07-01_part1.csv").write_text(text)
    source = folder(pattern="p_{date}_*.csv")
    table = source.read(source.batches("predictions", UNTIL, home)[0])
    assert pa.types.is_timestamp(table.schema.field("event_time").type)
    assert table.schema.field("event_time").type.tz == "UTC"
    assert table["temp"].to_pylist() == [None, 71.5]


def test_broken_csv_is_an_error_of_that_batch(home: Path) -> None:
    (home / "predictions" / "2013-07-01.csv").write_text("a,b\n1,2\n1,2,3\n")
    source = folder(pattern="{date}.csv")
    (ref,) = source.batches("predictions", UNTIL, home)
    with pytest.raises(BatchError, match=r"2013-07-01\.csv"):
        source.read(ref)


@pytest.mark.parametrize("pattern", ["*.parquet", "{date}/part.parquet", "{date}.json", "{date}-{date}.csv"])
def test_pattern_without_a_readable_day_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match=r"\{date\} once"):
        folder(pattern=pattern)


def test_absolute_folders_and_literal_dots_in_the_pattern(home: Path) -> None:
    source = folder(predictions=str(home / "predictions"))
    put(home, "2013-07-01.parquet")
    assert names(source.batches("predictions", UNTIL, home / "elsewhere")) == ["2013-07-01.parquet"]
    (home / "predictions" / "2013-07-02xparquet").write_text("x")
    with pytest.raises(BatchError):
        source.batches("predictions", UNTIL, home)


def test_an_unchanged_file_is_hashed_once_also_by_another_process(home: Path) -> None:
    path = put(home, "2013-07-01.parquet")
    put(home, "2013-07-02.parquet", ("b",))
    first = folder().batches("predictions", UNTIL, home)
    (cache,) = (home / "cache" / "sources").glob("*.json")
    kept = json.loads(cache.read_text())
    kept["files"]["2013-07-02.parquet"][1] = "as remembered"  # only a cache that is asked can answer this
    cache.write_text(json.dumps(kept))
    second = folder().batches("predictions", UNTIL, home)
    assert [ref.content_hash for ref in second] == [first[0].content_hash, "as remembered"]
    path.write_bytes(path.read_bytes())  # same content, written again: hashed again, the same batch
    assert folder().batches("predictions", UNTIL, home)[0].content_hash == first[0].content_hash
    path.unlink()
    assert names(folder().batches("predictions", UNTIL, home)) == ["2013-07-02.parquet"]
    assert list(json.loads(cache.read_text())["files"]) == ["2013-07-02.parquet"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 0, "files": {}}', '{"format": 1, "files": {"a": 1}}'])
def test_a_broken_listing_cache_is_made_again(home: Path, content: str) -> None:
    put(home, "2013-07-01.parquet")
    before = folder().batches("predictions", UNTIL, home)
    (cache,) = (home / "cache" / "sources").glob("*.json")
    good = cache.read_text()
    cache.write_text(content)
    assert folder().batches("predictions", UNTIL, home) == before
    assert cache.read_text() == good


def test_a_home_that_cannot_be_written_still_lists(home: Path) -> None:
    put(home, "2013-07-01.parquet")
    (home / "cache").write_text("in the way")
    assert names(folder().batches("predictions", UNTIL, home)) == ["2013-07-01.parquet"]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("../../etc", "stays under the home"),
        ("landing/../../x", "stays under the home"),
        ("s3://key:secret@bucket/in", "without user or password"),
        ("s3://", "must be a URL"),
    ],
)
def test_s61_locations_that_leave_the_home_or_hold_secrets_are_refused(location: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        folder(predictions=location)
    assert "secret@" not in str(caught.value).split("input_value")[0]


def test_a_missing_client_names_the_extra(home: Path) -> None:
    """In an interpreter whose import system has no s3fs."""
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from datetime import UTC, datetime; from pathlib import Path\n"
        "from continual.sources.folder import Folder\n"
        "Folder(predictions='s3://b/p', labels='l').batches('predictions', datetime(2024, 1, 1, tzinfo=UTC), Path('.'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=home, check=False)
    assert "BatchError" in done.stderr
    assert "pip install 'continual[s3]'" in done.stderr


def test_keys_of_a_csv_are_text_and_so_is_what_the_policy_names(home: Path) -> None:
    (home / "predictions" / "2013-07-01.csv").write_text("record_key,zip,temp\n007,0123,1\n8,NA,\n")
    source = SOURCES.build(
        {"kind": "folder", "predictions": "predictions", "labels": "labels", "pattern": "{date}.csv", "text": ["zip"]}
    )
    assert isinstance(source, Folder)
    table = source.read(source.batches("predictions", UNTIL, home)[0])
    assert table.to_pydict() == {"record_key": ["007", "8"], "zip": ["0123", "NA"], "temp": [1, None]}


def test_a_csv_column_that_is_numbers_and_then_text_is_refused_and_text_all_over_is_not(home: Path) -> None:
    numbers, words = "".join(f"{i},{i}.5\n" for i in range(150_000)), "".join(f"{i},w{i}\n" for i in range(150_000))
    source, (first, *rest) = folder(pattern="{date}.csv"), ("2013-07-01", "2013-07-02", "2013-07-03")
    (home / "predictions" / f"{first}.csv").write_text(f"record_key,temp\n{numbers}x,\ny,lots\n")
    for day, body in zip(rest, (words, numbers + ",\n" * 9), strict=True):
        (home / "predictions" / f"{day}.csv").write_text(f"record_key,temp\n{body}")
    mixed, text, good = source.batches("predictions", UNTIL, home)
    with pytest.raises(BatchError, match=r"'temp' of 2013-07-01\.csv.*'0\.5' in one part.*'lots' in another"):
        source.read(mixed)
    assert pa.types.is_string(source.read(text).schema.field("temp").type)
    assert pa.types.is_floating(source.read(good).schema.field("temp").type)
