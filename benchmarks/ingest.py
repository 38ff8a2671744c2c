"""How fast the prediction log takes rows in, checks their keys and gives them back, per second of CPU.

`python benchmarks/ingest.py` writes docs/results/ingest.md: 90 daily batches of 111,000 rows. CPU time is that of the
process, all threads and native code included; the same run writes the same rows to plain Parquet for a ratio.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from continual.core.window import Window
from continual.stores.log import PredictionLog

START = datetime(2026, 1, 1, tzinfo=UTC)
FAR = datetime(2030, 1, 1, tzinfo=UTC)
GOAL = 150_000


def batch(day: int, rows: int) -> pa.Table:
    """One day: random keys of 16 digits, 6 numbers, 4 texts of 20 values."""
    rng = np.random.default_rng(day)
    start = np.datetime64(START.replace(tzinfo=None), "us") + np.timedelta64(day, "D")
    at = pa.array(start + (rng.random(rows) * 86_399e6).astype("timedelta64[us]"))
    columns: dict[str, Any] = {
        "record_key": pa.array([f"{number:016x}" for number in rng.integers(0, 2**63, rows).tolist()]),
        "event_time": at.cast(pa.timestamp("us", "UTC")),
        "known_at": pa.array([START + timedelta(days=day + 1)] * rows, pa.timestamp("us", "UTC")),
        "model_version": pa.array(["1"] * rows),
        "prediction": pa.array(rng.random(rows)),
        "batch_id": pa.array([f"b{day}"] * rows),
    }
    columns |= {f"x{number}": pa.array(rng.normal(size=rows)) for number in range(6)}
    names = [f"value-{number}" for number in range(20)]
    columns |= {f"c{number}": pa.array(rng.choice(names, rows)) for number in range(4)}
    return pa.table(columns)


def labels(day: int, rows: int) -> pa.Table:
    """A label for every row of the day, known a day later."""
    keys = batch(day, rows).column("record_key")
    known = pa.array([START + timedelta(days=day + 1)] * rows, pa.timestamp("us", "UTC"))
    values = pa.array(np.random.default_rng(day).integers(0, 2, rows).astype(float))
    texts = {name: pa.array([name] * rows) for name in ("source", "batch_id")}
    return pa.table({"record_key": keys, "value": values, "known_at": known, **texts})


def cpu(act: Callable[[], Any]) -> float:
    """Process CPU seconds of `act`."""
    before = time.process_time()
    act()
    return time.process_time() - before


def appended(log: PredictionLog, folder: Path, days: int, rows: int) -> tuple[list[float], list[float], list[float]]:
    """CPU seconds of every day: append of predictions, append of labels, plain Parquet write of the predictions."""
    predictions, truth, plain = [], [], []
    for day in range(days):
        table, known = batch(day, rows), labels(day, rows)
        predictions.append(cpu(lambda t=table, d=day: log.append_predictions(t, f"p{d}")))  # type: ignore[misc]
        truth.append(cpu(lambda t=known, d=day: log.append_labels(t, f"l{d}")))  # type: ignore[misc]
        path = folder / f"{day}.parquet"
        plain.append(cpu(lambda t=table, p=path: pq.write_table(t, p, compression="zstd")))  # type: ignore[misc]
    return predictions, truth, plain


def reads(log: PredictionLog, days: int) -> dict[str, float]:
    """CPU seconds and peak of Python-visible memory of reading ten days both ways."""
    window = Window(START + timedelta(days=days - 10), START + timedelta(days=days))
    columns = ["record_key", "model_version", "prediction", "event_time", *(f"c{n}" for n in range(4)), "x0", "x1"]
    texts = ["model_version", *(f"c{n}" for n in range(4))]
    ways: dict[str, Callable[[], Any]] = {
        "read_labelled": lambda: log.read_labelled(window, FAR, columns),
        "read_arrow": lambda: log.read_arrow(window, FAR, columns[1:], dictionary=texts),
    }
    found: dict[str, float] = {}
    for name, act in ways.items():
        act()
        found[f"{name} cpu"] = min(cpu(act) for _ in range(3))
        pool = pa.default_memory_pool()
        before = pool.bytes_allocated()
        tracemalloc.start()
        held = act()
        found[f"{name} held"] = (pool.bytes_allocated() - before + tracemalloc.get_traced_memory()[0]) / 1e6
        tracemalloc.stop()
        del held
    return found


def page(days: int, rows: int) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = PredictionLog(f"sqlite:///{folder / 'catalog.db'}", (folder / "warehouse").as_uri(), "bench")
        predictions, truth, plain = appended(log, folder, days, rows)
        again = batch(days // 2, rows)
        redelivered = cpu(lambda: log.split_new(again))
        touched = cpu(lambda: log.touched_days(START + timedelta(days=days - 1), FAR))
        log._index.forget()
        rebuilt = cpu(lambda: log._index.keys(log._log("predictions").load()))
        read = reads(log, days)
    return _page(days, rows, predictions, truth, plain, redelivered, touched, rebuilt, read)


def _page(
    days: int,
    rows: int,
    predictions: list[float],
    truth: list[float],
    plain: list[float],
    redelivered: float,
    touched: float,
    rebuilt: float,
    read: dict[str, float],
) -> str:
    last = min(10, days)
    rate, end, slowest = (rows / x for x in (np.mean(predictions), np.mean(predictions[-last:]), max(predictions[1:])))
    ratio = sum(predictions) / sum(plain)
    times, memory = (read[f"read_labelled {k}"] / read[f"read_arrow {k}"] for k in ("cpu", "held"))
    return f"""# Taking rows in, measured

`python benchmarks/ingest.py --days {days} --rows {rows}` wrote this page: {days} daily batches of {rows:,} rows, 16
columns, random keys. Seconds are CPU seconds of the process. An append conforms the batch, hashes every row, looks
every key up among all keys of the log, and commits one Iceberg snapshot.

| what | measured | goal |
|---|---|---|
| append of predictions, mean of all days | {rate:,.0f} rows/s | {GOAL:,} |
| the same, mean of the last {last} days | {end:,.0f} rows/s | {GOAL:,} |
| the same, slowest day (the index merges its runs) | {slowest:,.0f} rows/s | {GOAL:,} |
| ratio to a plain Parquet write of the same rows | {ratio:.1f} | |
| append of labels, looking up every event time | {rows / np.mean(truth):,.0f} rows/s | |
| a day redelivered whole: all {rows:,} keys confirmed | {redelivered:.2f} s | |
| `touched_days` of the last day | {touched:.3f} s | |
| index of {days * rows:,} keys rebuilt from the log | {rebuilt:.1f} s | |
| ten days by `read_labelled` | {read["read_labelled cpu"]:.2f} s, {read["read_labelled held"]:.0f} MB held | |
| ten days by `read_arrow` | {read["read_arrow cpu"]:.2f} s, {read["read_arrow held"]:.0f} MB held | |
| ratio | {times:.1f} in CPU, {memory:.1f} in memory | |
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rows", type=int, default=111_000)
    parser.add_argument("--out", type=Path, default=Path("docs/results/ingest.md"))
    chosen = parser.parse_args()
    chosen.out.write_text(page(chosen.days, chosen.rows))
    print(chosen.out.read_text())
