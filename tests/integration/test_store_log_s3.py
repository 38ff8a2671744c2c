"""The same log with its files on S3 (moto's server) and its catalog on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from store_log import DAY, FAR, START, WEEK, labels, rows

from continual.errors import BatchError
from continual.stores.log import PredictionLog

pytestmark = pytest.mark.integration
pytest_plugins = ["postgres"]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="log")
    yield "log"
    server.stop()


def _objects(bucket: str) -> list[str]:
    import boto3

    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def test_the_log_on_object_storage_appends_dedupes_reads_as_of_and_erases(
    bucket: str, new_postgres: Callable[[], str], tmp_path: Path
) -> None:
    log = PredictionLog(new_postgres(), f"s3://{bucket}/warehouse", "flights", tmp_path / "keys")
    first = log.append_predictions(rows(0), "c0")
    assert log.append_predictions(rows(1), "c0") == first
    log.append_predictions(rows(1), "c1")
    assert log.split_new(rows(0))[1] == 3
    with pytest.raises(BatchError, match="3 rows contradict"):
        log.append_predictions(rows(0, event_time=[START + 9 * DAY] * 3), "c2")
    log.append_labels(labels(("0-1", 1.0, 1), ("1-1", 0.0, 3)), "l0")
    assert log.read_labelled(WEEK, START + DAY)["label"].dropna().tolist() == [1.0]
    assert log.read_arrow(WEEK, FAR, ["record_key"]).column("label").null_count == 4
    data = {name for name in _objects(bucket) if name.endswith(".parquet")}
    log.erasure.erase(["0-1"])
    assert len(log.read_predictions(WEEK, FAR)) == 5
    assert log.read_labels(None, FAR)["record_key"].tolist() == ["1-1"]
    left = {name for name in _objects(bucket) if name.endswith(".parquet")}
    assert len(data - left) == 2  # the files that held it: one of predictions, one of labels


def test_the_weekly_round_on_object_storage_deletes_only_what_no_snapshot_needs(
    bucket: str, new_postgres: Callable[[], str], tmp_path: Path
) -> None:
    import boto3

    log = PredictionLog(new_postgres(), f"s3://{bucket}/weekly", "flights", tmp_path / "keys")
    for number in range(6):
        log.append_predictions(rows(0, prefix=f"{number}:"), f"c{number}")
    assert log.erasure.compact() == (6, 1)
    # the server remembers the other test's objects; the client leaves an empty mark of a folder it deletes in
    mine = lambda: {name for name in _objects(bucket) if name.startswith("weekly/") and name[-1] != "/"}  # noqa: E731
    needed = mine()
    stray = next(name for name in sorted(needed) if name.endswith(".parquet")).replace(".parquet", "-left.parquet")
    boto3.client("s3").put_object(Bucket=bucket, Key=stray, Body=b"rows")
    assert log.erasure.sweep(datetime.now(UTC) - DAY) == 0
    assert log.erasure.sweep(datetime.now(UTC) + DAY) == 1
    assert mine() == needed
    assert len(log.read_predictions(WEEK, FAR)) == 18
