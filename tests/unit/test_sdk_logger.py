"""`Logger` on a local inbox: bounded, threaded, forked, with a disk that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from continual.errors import BatchError, StoreError
from continual.sdk import Logger

AT = datetime(2024, 1, 1, 10, tzinfo=UTC)


def rows(n: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"record_key": f"k{i}", "event_time": AT, "model_version": "1", "prediction": 0.5}
        for i in range(first, first + n)
    ]


def keys(inbox: Path) -> list[str]:
    """Of every finished file, repeats counted."""
    files = sorted(inbox.rglob("*.parquet"))
    return sorted(key for file in files for key in pq.read_table(file)["record_key"].to_pylist())


def test_flush_writes_whole_files_that_the_folder_source_reads(tmp_path: Path) -> None:
    from continual.sources.folder import Folder

    with Logger("loans", tmp_path / "inbox", max_seconds=60) as logger:
        logger.log_predictions(rows(3))
        logger.log_labels([{"record_key": "k1", "value": 1, "known_at": AT}], source="payments")
        assert keys(tmp_path) == []
        logger.flush()
        assert (logger.stats.logged, logger.stats.written, logger.stats.pending, logger.stats.files) == (4, 4, 0, 2)
    assert not list(tmp_path.rglob("*.tmp"))
    source = Folder(predictions="inbox/loans/predictions", labels="inbox/loans/labels", pattern="{date}-*.parquet")
    (ref,) = source.batches("predictions", datetime(2024, 1, 2, tzinfo=UTC), tmp_path)
    assert source.read(ref)["record_key"].to_pylist() == ["k0", "k1", "k2"]
    meta = pq.ParquetFile(ref.locator).metadata.row_group(0).column(0)
    assert meta.compression == "ZSTD"


def test_a_file_is_written_at_so_many_rows_or_after_so_many_seconds(tmp_path: Path) -> None:
    logger = Logger("loans", tmp_path, max_rows=10, max_seconds=0.3)
    logger.log_predictions(rows(4))
    assert keys(tmp_path) == []
    logger.log_predictions(rows(6, 4))
    assert waited(lambda: logger.stats.written == 10, 0.25)
    logger.log_predictions(rows(1, 10))
    assert waited(lambda: logger.stats.written == 11, 2)
    logger.close()
    assert len(keys(tmp_path)) == 11


def waited(condition: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


def test_an_inbox_that_fails_is_tried_again_and_loses_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "inbox"
    blocked.write_text("a file where the folder should be")
    logger = Logger("loans", blocked, max_seconds=0.01, max_pending_rows=5, block_seconds=0.1)
    logger.log_predictions(rows(4))
    with pytest.raises(StoreError, match=r"4 rows after 0\.2 s; last error: .*Error.*repair the inbox"):
        logger.flush(0.2)
    with pytest.raises(StoreError, match="4 rows wait, none of these 2 was logged"):
        logger.log_predictions(rows(2, 4))
    logger.log_predictions(rows(1, 4))
    assert logger.stats.failures >= 1
    assert logger.stats.pending == 5
    with pytest.raises(StoreError, match="5 rows"):
        logger.close(0.1)
    blocked.unlink()
    logger.log_predictions([])
    logger.close(5)
    assert keys(blocked) == [f"k{i}" for i in range(5)]


def test_a_full_queue_blocks_until_there_is_room(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.write_text("in the way")
    logger = Logger("loans", inbox, max_seconds=0.01, max_pending_rows=2, block_seconds=5)
    logger.log_predictions(rows(2))
    threading.Timer(0.15, inbox.unlink).start()
    began = time.monotonic()
    logger.log_predictions(rows(2, 2))
    assert time.monotonic() - began > 0.1
    logger.close()
    assert len(keys(tmp_path)) == 4


def test_many_threads_lose_and_double_nothing(tmp_path: Path) -> None:
    logger = Logger("loans", tmp_path, max_rows=40, max_seconds=0.01)
    threads = [
        threading.Thread(target=lambda t=t: [logger.log_predictions(rows(5, t * 1000 + 5 * i)) for i in range(20)])
        for t in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logger.close()
    assert keys(tmp_path) == sorted(f"k{t * 1000 + i}" for t in range(4) for i in range(100))


def test_limits_names_and_closed_loggers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"'\.\./loans'"):
        Logger("../loans", tmp_path)
    with pytest.raises(StoreError, match="Limits must be positive"):
        Logger("loans", tmp_path, max_rows=0)
    with pytest.raises(StoreError, match="client must be installed"):
        Logger("loans", "nowhere://bucket/inbox")
    logger = Logger("loans", tmp_path, max_pending_rows=3)
    with pytest.raises(BatchError, match="4 rows at once"):
        logger.log_predictions(rows(4))
    logger.close()
    with pytest.raises(StoreError, match="it was closed"):
        logger.log_predictions(rows(1))


def test_the_inbox_is_by_default_under_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTINUAL_HOME", str(tmp_path))
    with Logger("loans") as logger:
        logger.log_predictions(pa.Table.from_pylist(rows(2)))
    assert len(list((tmp_path / "landing" / "loans" / "predictions").glob("2024-01-01-*.parquet"))) == 1


def test_a_forked_child_writes_its_own_rows_and_leaves_the_parents_to_the_parent(tmp_path: Path) -> None:
    logger = Logger("loans", tmp_path, max_seconds=60)
    logger.log_predictions(rows(3))
    child = os.fork()
    if child == 0:
        try:
            logger.log_predictions(rows(2, 100))
            logger.flush(5)
            os._exit(0 if logger.stats.written == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert keys(tmp_path) == ["k100", "k101"]
    logger.close()
    assert keys(tmp_path) == ["k0", "k1", "k100", "k101", "k2"]


PROGRAM = """
import os, signal, sys
from datetime import UTC, datetime
from continual.sdk import Logger
logger = Logger("loans", sys.argv[1], max_seconds=600)
row = {"event_time": datetime(2024, 1, 1, tzinfo=UTC), "model_version": "1", "prediction": 0.5}
logger.log_predictions([{**row, "record_key": "a"}])
if sys.argv[2] == "kill":
    logger.flush()
    logger.log_predictions([{**row, "record_key": "b"}])
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("end", "code"), [("return", 0), ("kill", -9)])
def test_s59_rows_are_safe_after_flush_and_after_a_normal_exit(tmp_path: Path, end: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path), end], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")
    assert keys(tmp_path) == ["a"]  # 'b' was never flushed: the docstring says so
    assert not list(tmp_path.rglob("*.tmp"))
