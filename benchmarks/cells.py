"""What cells cost, as a multiple of merely reading the same columns in the same run.

    python benchmarks/cells.py --data cells-data --rows 10000000 --write

CPU time of the process (user + system), one thread, minimum of --repeats; what numba compiles is compiled before.
90 Parquet files (zstd, as the prediction log writes them), ten dictionary columns of 20 values (200 slices), two
models and their pair, every metric for binary labels that cells carry. Writes docs/results/cells.md with --write.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cells_auc
import cells_data as data
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from cells_sklearn import plain, with_intervals
from cells_text import FOOTER, HEADER
from rich.console import Console
from sklearn.metrics import roc_auc_score

from continual.cells.bins import ScoreBins
from continual.cells.block import Block
from continual.cells.build import Day, build_day
from continual.cells.plan import Plan
from continual.cells.window import stack
from continual.core.window import Window
from continual.metrics.base import METRICS, Metric, Task
from continual.stores.cells import EPOCH, CellStore, StoredCells
from continual.stores.database import open_database

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "cells.md"
MAIN = [*data.SLICED, "label", "s1", "s2"]
PAIRS = [*data.PAIRED, "label", "s1", "s2"]
AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
START = EPOCH + timedelta(days=data.FIRST_DAY)
LATE_DAYS, LATE = 7, 100_000
#: Days whose cells are stored in one transaction.
TOGETHER = 10
err = Console(stderr=True)


def metrics() -> tuple[Metric, ...]:
    """Every metric of binary labels that cells carry and that needs no column or price."""
    out = []
    for kind in METRICS.kinds:
        settings = {"value": {"tp": 1.0, "fp": -1.0, "fn": 0.0, "tn": 0.0}} if kind == "business_value" else {}
        try:
            found = METRICS.get(kind)(kind=kind, owner="benchmark", **settings)
        except ValueError:
            continue
        if isinstance(found, Metric) and Task.BINARY in found.tasks and found.carried() and not found.needs:
            out.append(found)
    return tuple(out)


@dataclass
class Bench:
    folder: Path
    rows: int
    repeats: int
    store: CellStore
    cpu: dict[str, float] = field(default_factory=dict)

    def clock(self, name: str, work: Callable[[], object]) -> float:
        start = time.process_time()
        work()
        spent = time.process_time() - start
        self.cpu[name] = min(spent, self.cpu.get(name, spent))
        return spent

    def table(self, day: int, columns: list[str]) -> pa.Table:
        return pq.read_table(data.path(self.folder, day), columns=columns, use_threads=False, pre_buffer=False)

    def scan(self, columns: list[str], days: Iterable[int]) -> None:
        for day in days:
            self.table(day, columns)

    def build(self, plan: Plan, columns: list[str], days: Iterable[int], as_of: datetime = AS_OF) -> None:
        waiting: list[StoredCells] = []
        for day in days:
            table = self.table(day, columns)
            blocks = build_day(Day(data.FIRST_DAY + day, table, data.VERSIONS), plan)
            waiting += self.stored(plan, blocks.items(), as_of)
            if len(waiting) >= 3 * TOGETHER:
                self.store.put(waiting)
                waiting = []
        self.store.put(waiting)

    def stored(self, plan: Plan, blocks: Iterable[tuple[str, Block]], as_of: datetime) -> list[StoredCells]:
        return [
            StoredCells(b.day, name, plan.layout, as_of, b.to_bytes(), int(b.n[0]), int(b.n_labelled[0]))
            for name, b in blocks
        ]

    def blocks(self, plan: Plan, names: list[str], days: int = data.DAYS) -> dict[str, list[Block]]:
        window = Window(START, START + timedelta(days=days))
        found = self.store.read(window, names, plan.layout, AS_OF + timedelta(days=99))
        return {name: [Block.from_bytes(one.blob) for one in kept] for name, kept in found.items()}

    def window(self, plan: Plan, compare: bool = False) -> None:
        names = ["1", "2", "1~2"] if compare else ["1", "2"]
        cells = {name: stack(blocks, plan.specs) for name, blocks in self.blocks(plan, names).items()}
        for metric in plan.metrics:
            if compare:
                metric.compare_cells(cells["1"], cells["2"], cells["1~2"])
            else:
                for one in cells.values():
                    metric.from_cells(one)

    def late(self, plan: Plan, pieces: list[pa.Table], as_of: datetime) -> None:
        """Rows whose label came late, already joined: a block of their own, added to their day's."""
        stored = self.blocks(plan, ["1", "2", "1~2"], len(pieces))
        waiting: list[tuple[str, Block]] = []
        for day, piece in enumerate(pieces):
            new = build_day(Day(data.FIRST_DAY + day, piece, data.VERSIONS), plan, count_rows=False)
            waiting += [(name, stored[name][day].plus(block)) for name, block in new.items()]
        self.store.put(self.stored(plan, waiting, as_of))


def plans() -> dict[str, Plan]:
    mine = metrics()
    return {
        "256": Plan(data.by_columns(), mine, resolution=256),
        "1024": Plan(data.by_columns(), mine, resolution=1024),
        "pairs": Plan(data.all_pairs(), mine, resolution=256),
    }


def measure(bench: Bench) -> dict[str, str]:
    what, days, mark = plans(), range(data.DAYS), itertools_marks()
    pieces = [bench.table(day, MAIN).slice(0, min(LATE, bench.rows // 2) // LATE_DAYS) for day in range(LATE_DAYS)]
    for plan, columns in ((what["256"], MAIN), (what["1024"], MAIN), (what["pairs"], PAIRS)):
        bench.build(plan, columns, [0], next(mark))  # compiles
    for repeat in range(bench.repeats):
        err.print(f"repeat {repeat + 1} of {bench.repeats}")
        bench.clock("scan", lambda: bench.scan(MAIN, days))
        bench.clock("scan pairs", lambda: bench.scan(PAIRS, days))
        bench.clock("scan 7", lambda: bench.scan(MAIN, range(LATE_DAYS)))
        for name, columns in (("256", MAIN), ("1024", MAIN), ("pairs", PAIRS)):
            at = next(mark)
            bench.clock(name, lambda p=what[name], c=columns, t=at: bench.build(p, c, days, t))
            at = next(mark)
            bench.clock(f"day {name}", lambda p=what[name], c=columns, t=at: bench.build(p, c, [data.DAYS - 1], t))
        for name in ("256", "1024"):
            bench.clock(f"window {name}", lambda p=what[name]: bench.window(p))
            bench.clock(f"compare {name}", lambda p=what[name]: bench.window(p, compare=True))
        at = next(mark)
        bench.clock("rebuild 7", lambda t=at: bench.build(what["256"], MAIN, range(LATE_DAYS), t))
        at = next(mark)
        bench.clock("late", lambda t=at: bench.late(what["256"], pieces, t))
    return {name: size_per_day(bench, plan) for name, plan in what.items()}


def itertools_marks() -> Iterator[datetime]:
    """Instants, each a second after the one before: every build is a generation of its own."""
    at = AS_OF
    while True:
        at += timedelta(seconds=1)
        yield at


def size_per_day(bench: Bench, plan: Plan) -> str:
    window = Window(START, START + timedelta(days=1))
    found = bench.store.read(window, ["1", "2", "1~2"], plan.layout, AS_OF + timedelta(days=99))
    return f"{sum(len(one.blob) for kept in found.values() for one in kept) / 1e3:.0f} KB"


def by_sklearn(bench: Bench, slices: int) -> dict[str, float]:
    """CPU of pandas and scikit-learn for the 200 slices, both models and their difference, from `slices` of the
    slices; without intervals and with. Reading the files and finding the day of a row are not counted."""
    pieces = [bench.table(day, MAIN).to_pandas().assign(day=day) for day in range(data.DAYS)]
    frame = pd.concat(pieces, ignore_index=True)
    for column in data.SLICED:
        frame[column] = frame[column].astype("category")
    out = {}
    for name, work in (("sklearn", plain), ("sklearn intervals", with_intervals)):
        start = time.process_time()
        for i in range(slices):
            column = data.SLICED[i % len(data.SLICED)]
            work(frame[frame[column] == f"{column}-{(i * 7 + 3) % 20:02d}"], ("s1", "s2"))
        out[name] = (time.process_time() - start) / slices * 200
    return out


def auc_error(resolution: int) -> float:
    """Largest error of the AUC from bins over score distributions, 1,000,000 rows each."""
    worst, bins = 0.0, ScoreBins(resolution)
    for mean, spread, shift in ((0, 1, 0), (-4.6, 0.8, 0), (-4.6, 0.3, 0), (-7, 1.5, 0), (-4.6, 3, 0), (-4.6, 1, -4)):
        rng = np.random.default_rng(3)
        logit = rng.normal(mean, spread, 1_000_000)
        y = rng.random(len(logit)) < 1 / (1 + np.exp(-logit))
        score = 1 / (1 + np.exp(-(logit + shift)))
        worst = max(worst, abs(roc_auc_score(y, score) - roc_auc_score(y, bins.index(score))))
    return worst


def peak(args: argparse.Namespace) -> float:
    """GB of a fresh process that builds 90 days at 1,024 bins and reads the window of both models."""
    command = [sys.executable, __file__, "--data", str(args.data), "--rows", str(args.rows), "--child"]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True).stdout)) / 1e6


def child(bench: Bench) -> None:
    plan = plans()["1024"]
    bench.build(plan, MAIN, range(data.DAYS))
    bench.window(plan)
    # not getrusage: its peak is never below what the parent had when it forked, here a frame of all rows
    status = Path("/proc/self/status").read_text()
    print(json.dumps(int(status.split("VmHWM:")[1].split()[0])))


def report(bench: Bench, sizes: dict[str, str], args: argparse.Namespace) -> str:
    cpu, memory = bench.cpu, peak(args)
    bench.cpu |= by_sklearn(bench, args.slices)
    # what the cells give both ways: the build, and reading values, intervals and comparisons of the window from it
    whole = cpu["256"] + cpu["window 256"] + cpu["compare 256"]
    spent = cpu["sklearn intervals"]
    scan, one = cpu["scan"], cpu["256"]
    rows: list[tuple[str, str, float, bool, str]] = [
        ("build, 1,024 bins / scan", "<= 4", cpu["1024"] / scan, cpu["1024"] <= 4 * scan, sizes["1024"]),
        ("build, 256 bins / scan", "<= 2", one / scan, one <= 2 * scan, sizes["256"]),
        ("a new day / its share of the build", "<= 1.3", (x := cpu["day 256"] * data.DAYS / one), x <= 1.3, ""),
        ("90-day window, 256 bins / scan", "<= 0.15", (x := cpu["window 256"] / scan), x <= 0.15, ""),
        ("90-day window, 1,024 bins / scan", "", cpu["window 1024"] / scan, True, ""),
        ("comparison over the window, 256 bins / scan", "", cpu["compare 256"] / scan, True, ""),
        ("4,650 cells of pairs / scan", "<= 3", (x := cpu["pairs"] / cpu["scan pairs"]), x <= 3, sizes["pairs"]),
        ("late labels, joined / scan of 7 days", "<= 1", (x := cpu["late"] / cpu["scan 7"]), x <= 1, ""),
        ("late labels / rebuild of 7 days", "", cpu["late"] / cpu["rebuild 7"], True, ""),
        ("sklearn, intervals / build, window, comparison", ">= 300", (x := spent / whole), x >= 300, ""),
        ("sklearn, intervals / build", "", spent / one, True, ""),
        ("sklearn, values only / build, window, comparison", "", cpu["sklearn"] / whole, True, ""),
        ("sklearn, values only / build", "", cpu["sklearn"] / one, True, ""),
        ("peak memory, GB", "<= 1", memory, memory <= 1, ""),
        ("AUC error, 1,024 bins", "<= 3e-4", (x := auc_error(1024)), x <= 3e-4, ""),
        ("AUC error, 256 bins", "", auc_error(256), True, ""),
    ]
    lines = ["| | goal | measured | met | blobs a day |", "|---|---|---|---|---|"]
    for name, goal, value, met, size in rows:
        lines.append(f"| {name} | {goal} | {value:.2g} | {('yes' if met else '**no**') if goal else ''} | {size} |")
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in cpu.items())
    return (
        f"{HEADER.format(rows=bench.rows, slices=args.slices)}\n"
        + "\n".join(lines)
        + f"\n\nCPU seconds: {seconds}.\n{FOOTER.format(days=TOGETHER, few=cells_auc.few_positives())}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the made-up log; written when empty")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slices", type=int, default=4, help="slices that scikit-learn is timed on")
    parser.add_argument("--write", action="store_true", help="write docs/results/cells.md")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    pa.set_cpu_count(1)
    folder = args.data / str(args.rows)
    data.write(folder, args.rows)
    with tempfile.TemporaryDirectory() as scratch:
        db = open_database(f"sqlite:///{scratch}/cells.db")
        db.upgrade()
        bench = Bench(folder, args.rows, args.repeats, CellStore(db, "benchmark"))
        if args.child:
            child(bench)
            return
        text = report(bench, measure(bench), args)
    print(text)
    if args.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
