"""What logging costs: `log_predictions` + `flush` against a plain pyarrow write of the same rows, in the same run.

    python benchmarks/sdk.py --rows 500000 --batch 5000

The plain write has the rows as one Arrow table and writes one zstd Parquet file a UTC day, with the same fsync. Ratios,
the median of `--runs` rounds; the caller's share is what a serving thread waits, the rest happens in the logger's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from continual.sdk import Logger

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, NUMERIC = 2, 10


def made(rows: int) -> pd.DataFrame:
    """(rows, 16): keys, instants over two days, ten numbers, two categories."""
    rng = np.random.default_rng(0)
    seconds = np.sort(rng.integers(0, DAYS * 86_400, rows))
    numbers = {f"x{i}": rng.normal(size=rows) for i in range(NUMERIC)}
    return pd.DataFrame(
        {
            "record_key": [f"{i:010d}" for i in range(rows)],
            "event_time": pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s"),
            "model_version": "7",
            "prediction": rng.random(rows),
            **numbers,
            "sector": rng.choice(["farm", "shop", "startup"], rows),
            "region": rng.choice(["east", "north", "west"], rows),
        }
    )


def plain(table: pa.Table, folder: Path) -> None:
    """One file a day, as a program that has the whole day would write it."""
    days = np.asarray(table["event_time"].cast(pa.date32()).cast(pa.int32()))
    for day in np.unique(days):
        path = folder / f"{day}.parquet"
        with path.open("wb") as out:
            pq.write_table(table.filter(pa.array(days == day)), out, compression="zstd")
            os.fsync(out.fileno())


def logged(batches: list[Any], folder: Path) -> float:
    """Seconds until the last call of `log_predictions` returned; all rows are on disk when this returns."""
    with Logger("bench", folder, max_pending_rows=10_000_000) as logger:
        began = time.perf_counter()
        for batch in batches:
            logger.log_predictions(batch)
        waited = time.perf_counter() - began
        logger.flush(None)
    return waited


def timed(call: Callable[[Path], Any]) -> tuple[float, Any]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        answer = call(Path(folder))
        return time.perf_counter() - began, answer


def forms(frame: pd.DataFrame, size: int) -> Iterator[tuple[str, list[Any]]]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    starts = range(0, len(frame), size)
    yield "Arrow", [table.slice(s, size) for s in starts]
    yield "DataFrame", [frame.iloc[s : s + size] for s in starts]
    yield "dicts", [table.slice(s, size).to_pylist() for s in starts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--batch", type=int, default=5_000, help="Rows of a call.")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    frame = made(options.rows)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    base = median(timed(lambda folder: plain(table, folder))[0] for _ in range(options.runs))
    print(f"{options.rows:,} rows of {frame.shape[1]} columns, {options.batch:,} a call, median of {options.runs}")
    print(f"plain write: 1.0 ({options.rows / base:,.0f} rows/s here)")
    for name, batches in forms(frame, options.batch):
        runs = [timed(lambda folder, b=batches: logged(b, folder)) for _ in range(options.runs)]
        whole, waited = median(r[0] for r in runs), median(r[1] for r in runs)
        rate = options.rows / whole
        share = f"{rate:,.0f} rows/s here), caller {waited / base:.1f}"
        print(f"{name:>10}: {whole / base:.1f} times the plain write ({share}")


if __name__ == "__main__":
    main()
