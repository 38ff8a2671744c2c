"""Inbox and landing folders in an object store: real HTTP, real s3fs."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3_server import s3, s3_server  # noqa: F401 - fixtures

from continual.errors import BatchError, StoreError
from continual.sdk import Logger
from continual.sources.base import SourceUnavailable
from continual.sources.folder import Folder

pytestmark = pytest.mark.integration

UNTIL = datetime(2024, 1, 4, tzinfo=UTC)
PREFIX = "s3://bank/in/loans/predictions"


def folder(**fields: Any) -> Folder:
    return Folder(
        **{"predictions": PREFIX, "labels": "s3://bank/in/loans/labels/", "pattern": "{date}*.parquet", **fields}
    )


def put(name: str, keys: tuple[str, ...] = ("a",)) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"record_key": list(keys)}), out)
    boto3.client("s3").put_object(Bucket="bank", Key=f"in/loans/predictions/{name}", Body=out.getvalue())


@pytest.mark.usefixtures("s3")
def test_objects_are_listed_by_day_and_read(tmp_path: Path) -> None:
    for name in (
        "2024-01-02-b.parquet",
        "2024-01-01.parquet",
        "2024-01-04.parquet",
        "_SUCCESS",
        "2024-01-01.parquet.tmp",
    ):
        put(name, (name,))
    boto3.client("s3").put_object(Bucket="bank", Key="in/loans/predictions/", Body=b"")  # as consoles make 'folders'
    found = folder().batches("predictions", UNTIL, tmp_path)
    assert [ref.name for ref in found] == ["2024-01-01.parquet", "2024-01-02-b.parquet"]
    assert folder().read(found[1])["record_key"].to_pylist() == ["2024-01-02-b.parquet"]
    assert folder().batches("labels", UNTIL, tmp_path) == []


@pytest.mark.usefixtures("s3")
def test_an_unchanged_object_is_downloaded_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def downloads() -> list[str]:
        """What the server says it sent since the last call."""
        lines = [record.getMessage() for record in caplog.records if record.name == "werkzeug"]
        caplog.clear()
        return [line.split()[6].rpartition("/")[2] for line in lines if '"GET /bank/in/loans' in line]

    caplog.set_level("INFO", logger="werkzeug")
    put("2024-01-01.parquet")
    put("2024-01-02.parquet", ("b",))
    first = folder().batches("predictions", UNTIL, tmp_path)
    assert downloads() == ["2024-01-01.parquet", "2024-01-02.parquet"]
    assert folder().batches("predictions", UNTIL, tmp_path) == first
    assert downloads() == []
    put("2024-01-02.parquet", ("c",))
    again = folder().batches("predictions", UNTIL, tmp_path)
    assert downloads() == ["2024-01-02.parquet"]
    assert [a.content_hash == b.content_hash for a, b in zip(first, again, strict=True)] == [True, False]
    with pytest.raises(BatchError, match="changed"):
        folder().read(first[1])


@pytest.mark.usefixtures("s3")
def test_s06_stray_objects_missing_buckets_and_silent_stores_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("july.parquet")
    with pytest.raises(BatchError, match=r"july\.parquet in s3://bank"):
        folder().batches("predictions", UNTIL, tmp_path)
    with pytest.raises(BatchError, match=r"The bucket must exist.*s3://brook"):
        folder(predictions="s3://brook/in").batches("predictions", UNTIL, tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SourceUnavailable, match=r"must answer.*AWS_ENDPOINT_URL"):
        folder().batches("predictions", UNTIL, tmp_path)


@pytest.mark.usefixtures("s3")
def test_the_loggers_files_are_read_by_the_source(tmp_path: Path) -> None:
    at = datetime(2024, 1, 1, 10, tzinfo=UTC)
    with Logger("loans", "s3://bank/in", max_seconds=60) as logger:
        logger.log_predictions([{"record_key": "a", "event_time": at, "model_version": "1", "prediction": 0.5}])
        logger.log_labels([{"record_key": "a", "value": 1, "known_at": at}], source="payments")
    source = folder(pattern="{date}-*.parquet")
    for stream in ("predictions", "labels"):
        (ref,) = source.batches(stream, UNTIL, tmp_path)
        assert source.read(ref)["record_key"].to_pylist() == ["a"]


@pytest.mark.usefixtures("s3")
def test_a_store_that_refuses_keeps_rows_pending_with_its_answer(tmp_path: Path) -> None:
    at = datetime(2024, 1, 1, 10, tzinfo=UTC)
    logger = Logger("loans", "s3://later/in", max_seconds=0.01)
    logger.log_predictions([{"record_key": "a", "event_time": at, "model_version": "1", "prediction": 0.5}])
    with pytest.raises(StoreError, match=r"1 rows after 0\.5 s; last error: .*bucket"):
        logger.flush(0.5)
    boto3.client("s3").create_bucket(Bucket="later")
    logger.close(10)
    assert boto3.client("s3").list_objects_v2(Bucket="later")["KeyCount"] == 1


AT_EXIT = """
from datetime import UTC, datetime
from continual.sdk import Logger
logger = Logger("loans", "s3://bank/in", max_seconds=600)
at = datetime(2024, 1, 1, tzinfo=UTC)
logger.log_predictions([{"record_key": "a", "event_time": at, "model_version": "1", "prediction": 0.5}])
"""


@pytest.mark.usefixtures("s3")
def test_a_normal_exit_puts_the_last_rows() -> None:
    """The client resolves names in a thread pool, which refuses work once the interpreter is closing."""
    done = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert boto3.client("s3").list_objects_v2(Bucket="bank")["KeyCount"] == 1, done.stderr
