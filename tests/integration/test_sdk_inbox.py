"""From `Logger` through the real ingest flow into the log: Great Expectations, Iceberg, SQLite."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flow_loans import APP, ROWS, applications, day, days, labels
from flow_world import Stages, World

from continual.errors import Skipped
from continual.sdk import Logger

pytestmark = pytest.mark.integration


def with_inbox(world: World) -> World:
    """As docs/how-to/connect-data.md says."""
    world.edit("predictions: landing/predictions", f"predictions: landing/{APP}/predictions")
    world.edit("labels: landing/labels", f"labels: landing/{APP}/labels")
    world.edit('"{date}*.parquet"', '"{date}-*.parquet"')
    for stream in ("predictions", "labels"):
        (world.home / "landing" / APP / stream).mkdir(parents=True)
    return world


def keys(world: World) -> list[str]:
    return list(world.ws().log.read_predictions(days(0, 30), day(30))["record_key"])


def test_rows_that_are_logged_are_rows_of_the_log_whatever_day_they_are_of(stages: Stages) -> None:
    world = with_inbox(stages("empty"))
    with Logger(APP, world.home / "landing") as logger:
        for part in (world.served(1), world.served(0).head(200), world.served(0).tail(ROWS - 200)):
            logger.log_predictions(part)
        logger.flush()
        logger.log_predictions(world.served(0).head(50))  # an old day again, with rows it has
        logger.log_labels(labels(1))
    world.ingest(0, 2)
    assert sorted(keys(world)) == sorted([*applications(0)["record_key"], *applications(1)["record_key"]])
    assert world.logged() == (2 * ROWS, len(labels(1)))
    assert world.ws().batches.items(state="open") == []
    with pytest.raises(Skipped, match="no new batch"):
        world.ingest(2, 3)


def test_s06_a_file_that_was_written_twice_gives_no_row_twice(stages: Stages) -> None:
    """At least once: an answer that got lost makes a writer try again; a process that died may log rows again."""
    world = with_inbox(stages("empty"))
    inbox = world.home / "landing" / APP / "predictions"
    for _ in range(2):
        with Logger(APP, world.home / "landing") as logger:
            logger.log_predictions(world.served(0))
            logger.log_labels(labels(0))
    first, second = sorted(inbox.glob("2024-01-01-*.parquet"))
    shutil.copy(first, inbox / "2024-01-01-again.parquet")
    world.ingest(0, 1)
    with Logger(APP, world.home / "landing") as logger:
        logger.log_predictions(world.served(0).sample(frac=1, random_state=1))
    world.ingest(1, 2)
    assert second.exists()
    assert world.logged()[0] == len(set(keys(world))) == ROWS
    assert world.ws().batches.items(state="open") == []


PROGRAM = """
import os, signal, sys
import pandas as pd
from continual.sdk import Logger
logger = Logger("loans", sys.argv[1], max_rows=60, max_seconds=0.05)
rows = pd.read_parquet(sys.argv[2])
for start in range(0, 240, 30):
    logger.log_predictions(rows.iloc[start : start + 30])
logger.flush()
print(240, flush=True)
logger.log_predictions(rows.iloc[240:])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_s59_a_serving_process_killed_after_flush_loses_nothing_that_was_flushed(
    stages: Stages, tmp_path: Path
) -> None:
    world = with_inbox(stages("empty"))
    world.served(0).to_parquet(tmp_path / "rows.parquet", index=False)
    command = [sys.executable, "-c", PROGRAM, str(world.home / "landing"), str(tmp_path / "rows.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (-9, "240\n")
    with Logger(APP, world.home / "landing") as logger:  # it starts again, and its caller sends what it is unsure of
        logger.log_predictions(world.served(0).iloc[180:])
        logger.log_labels(labels(0))
    world.ingest(0, 1)
    assert sorted(keys(world)) == sorted(applications(0)["record_key"])
    assert world.logged()[0] == ROWS
