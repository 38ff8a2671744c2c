"""The SDK on an object store: small objects become few, and ingest's source reads every row once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from s3_server import s3, s3_server  # noqa: F401 - fixtures

from continual.sdk._inbox import Inbox, encode
from continual.sdk._rollup import TOGETHER, Rollup
from continual.sdk._rows import prepared
from continual.sources.folder import Folder

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("s3")]
NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
PREFIX = "s3://bank/in/loans"


def _rows(number: int) -> list[dict[str, object]]:
    return [{"record_key": f"k{number:03d}", "event_time": NOON, "model_version": "1", "prediction": 0.5}]


def _objects() -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket="bank", Prefix="in/loans/predictions/")
    return [item["Key"] for item in found.get("Contents", [])]


def _keys(scratch: Path) -> list[str]:
    folder = Folder(predictions=f"{PREFIX}/predictions", labels=f"{PREFIX}/labels", pattern="{date}-*.parquet")
    refs = folder.batches("predictions", NOON + timedelta(days=1), scratch)
    return [key for ref in refs for key in folder.read(ref)["record_key"].to_pylist()]


def test_small_objects_are_put_together_and_no_row_is_lost_or_doubled(tmp_path: Path) -> None:
    inbox = Inbox("s3://bank/in")
    rollup, n = Rollup(inbox, 1000), TOGETHER + 3
    for number in range(n):
        (file,) = encode("loans", [("predictions", prepared(_rows(number), "predictions", NOON))])
        inbox.write(file)
        fewer = rollup.written(file, NOON)
        assert fewer == (TOGETHER - 1 if number == TOGETHER - 1 else 0)
    assert len(_objects()) == 4
    assert sorted(_keys(tmp_path)) == [f"k{i:03d}" for i in range(n)]
