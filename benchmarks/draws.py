"""Recording a draw: the chance of every row of a pool, against the same rows a row at a time and as a Parquet file.

    python benchmarks/draws.py --rows 1000000 --write

CPU seconds of this process, user + system; each way writes into an SQLite database of its own, in the same run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from continual.core.window import Window
from continual.stores.database import Database, open_database
from continual.stores.requests import Draw, DrawnRows, RequestStore
from continual.stores.rows import upsert
from continual.stores.tables import label_request

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "draws.md"
NOW = datetime(2024, 1, 8, tzinfo=UTC)
DRAW = Draw(Window(NOW - timedelta(days=7), NOW), NOW, "active", "7", NOW + timedelta(days=7))
#: Rows recorded at a time.
CHUNK = 200_000


def drawn(n: int) -> DrawnRows:
    rng = np.random.default_rng(0)
    parts = {"uncertainty": 0.01 + 0.02 * rng.random(n), "slice_floor": np.where(rng.random(n) < 0.1, 0.05, 0.0)}
    pi = 1 - (1 - parts["uncertainty"]) * (1 - parts["slice_floor"])
    states = np.where(rng.random(n) < pi, "open", "unchosen").tolist()
    return DrawnRows(
        [f"2024-01-01-{i:09d}" for i in range(n)], pi, states, parts, needed=[1] * n, priority=rng.random(n).tolist()
    )


def some(rows: DrawnRows, part: slice) -> DrawnRows:
    parts = {name: pi[part] for name, pi in rows.components.items()}
    needed, priority = rows.needed[part], rows.priority[part]  # type: ignore[index]
    return DrawnRows(rows.keys[part], rows.probability[part], list(rows.state[part]), parts, rows.use, needed, priority)


def in_bulk(db: Database, rows: DrawnRows) -> None:
    for start in range(0, len(rows.keys), CHUNK):
        RequestStore(db, "benchmark").add(DRAW, some(rows, slice(start, start + CHUNK)))


def row_by_row(db: Database, rows: DrawnRows) -> None:
    """As it was: a dictionary and a bound statement for each."""
    every = [
        {
            "app": "benchmark",
            "key": key,
            "asked_at": NOW,
            "probability": float(rows.probability[i]),
            "components": {name: float(pi[i]) for name, pi in rows.components.items() if pi[i] > 0},
            "sampler": DRAW.sampler,
            "state": rows.state[i],
            "model_version": DRAW.model_version,
            "window_start": DRAW.window.start,
            "window_end": DRAW.window.end,
            "use": rows.use,
            "needed": 1,
            "priority": rows.priority[i],  # type: ignore[index]
            "deadline": DRAW.deadline,
        }
        for i, key in enumerate(rows.keys)
    ]
    with db.write() as connection:
        upsert(connection, label_request, every, keep_first=True)


def to_parquet(path: Path, rows: DrawnRows) -> None:
    data = {"key": rows.keys, "probability": rows.probability, "state": rows.state, "priority": rows.priority}
    pd.DataFrame({**data, **rows.components}).to_parquet(path)


def cpu(act: Callable[[], Any]) -> float:
    before = time.process_time()
    act()
    return time.process_time() - before


def measure(n: int, folder: Path) -> list[dict[str, Any]]:
    rows, out = drawn(n), []
    out.append({"where": "Parquet file", "how": "one file", "cpu": cpu(lambda: to_parquet(folder / "d.parquet", rows))})
    for how, act in (("bulk", in_bulk), ("row by row", row_by_row)):
        db = open_database(f"sqlite:///{folder}/{act.__name__}.db")
        db.upgrade()
        out.append({"where": "SQLite", "how": how, "cpu": cpu(lambda act=act, db=db: act(db, rows))})
        out[-1]["read"] = cpu(lambda db=db: RequestStore(db, "benchmark").drawn(DRAW.window, NOW))
        db.close()
    return out


def page(found: list[dict[str, Any]], n: int) -> str:
    lines = [
        "# Recording a draw",
        "",
        f"`python benchmarks/draws.py --rows {n} --write` wrote this page: the chances of {n:,} rows, two components, "
        "CPU seconds of the writing process. `row by row` is how earlier versions wrote. `read`: the chances again, as "
        "an estimate needs them.",
        "",
        "| where | how | write, CPU-s | rows a CPU-second | row by row / this | read, CPU-s |",
        "|---|---|---|---|---|---|",
    ]
    slow = {one["where"]: one["cpu"] for one in found if one["how"] == "row by row"}
    for one in found:
        ratio = f"{slow[one['where']] / one['cpu']:.1f}" if one["where"] in slow else ""
        read = f"{one['read']:.1f}" if "read" in one else ""
        lines.append(f"| {one['where']} | {one['how']} | {one['cpu']:.1f} | {n / one['cpu']:,.0f} | {ratio} | {read} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.rows, Path(folder))
    text = page(found, options.rows)
    sys.stdout.write(text)
    if options.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
