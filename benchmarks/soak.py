# ruff: noqa: E402  (the path first, the imports after)
"""A week of hourly runs in one process: does anything grow that should not?

python benchmarks/soak.py --home DIR --write     writes docs/results/soak.md

Every simulated hour rows are delivered, taken in, measured, watched and decided on, by the flows that the DAGs call,
against real MLflow, SQLite, Iceberg and Great Expectations; the store's weekly round comes in the middle. Compared are
the last day and the second one (the first fills caches): CPU time of an hour, resident memory, open files, threads;
and what is kept on disk for an hour.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "integration")]

import pandas as pd
import psutil
from flow_loans import applications, day
from flow_server import Server
from flow_world import Stages, World
from rich.progress import track

from continual.core.window import Window
from continual.flows import ingest, monitor, rebuild, settle, trigger

PAGE = ROOT / "docs" / "results" / "soak.md"
HOUR = timedelta(hours=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="empty scratch folder")
    parser.add_argument("--hours", type=int, default=168)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    server = Server(given.home / "mlflow")
    try:
        world = Stages(given.home, server)("promoted")
        rows = []
        for number in track(range(given.hours), "hours"):
            if number == given.hours // 2:
                print(rebuild.tidy(world.ws(), day(24) + number * HOUR).reason)
            rows.append(_hour(world, number))
        decisions = world.ws().ledger.verify()
        world.check("2")
    finally:
        server.stop()
    page = _page(pd.DataFrame(rows), decisions)
    print(page)
    if given.write:
        PAGE.write_text(page, encoding="utf-8")


def _hour(world: World, number: int) -> dict[str, float]:
    process, start = psutil.Process(), day(24) + number * HOUR
    window = Window(start, start + HOUR)
    began = time.process_time()
    delivered = _deliver(world, window)
    # a source of daily files shows a day once the run's interval reaches its end
    until = Window(start, day((start - day(0)).days + 1))
    validated = ingest.validate(world.ws(), until, window.end)
    ingest.append(world.ws(), validated.data["accepted"], window.end)
    ingest.publish(world.ws(), validated.data["refused"], {})
    settle.measure(world.ws(), window, window.end)
    found = monitor.watch(world.ws(), window.end)
    trigger.decide(world.ws(), window.end, bool(found.data.get("alarm")))
    return {
        "rows": delivered,
        "CPU of an hour, s": time.process_time() - began,
        "resident memory, MB": process.memory_info().rss / 2**20,
        "open files": process.num_fds(),
        "threads": process.num_threads(),
        "kept on disk, MB": _size(world.home) / 2**20,
    }


def _deliver(world: World, window: Window) -> int:
    """The hour's applications, and the labels that became known in it."""
    number = (window.start - day(0)).days
    frame = applications(number)
    inside = frame["event_time"].between(window.start, window.end, inclusive="left")
    served = frame.drop(columns=["value", "known_at"]).assign(model_version="2", prediction=0.5)
    both = pd.concat([applications(number - 1), frame])
    known = both["known_at"].between(window.start, window.end, inclusive="left")
    name = f"-{window.start:%H}"
    if inside.any():
        world.deliver(number, rows=served[inside], name=name)
    truth = both.loc[known, ["record_key", "value", "known_at"]].assign(source="payments")
    if len(truth):
        world.deliver(number, "labels", rows=truth, name=name)
    return int(inside.sum())


def _size(home: Path) -> int:
    return sum(os.stat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(home) for name in names)


def _page(found: pd.DataFrame, decisions: int) -> str:
    second, last = found.iloc[24:48], found.iloc[-24:]
    lines = [
        "# Soak: a week of hourly runs\n",
        f"`python benchmarks/soak.py --home DIR --hours {len(found)} --write`: {len(found)} hours, {decisions} entries "
        "in the ledger, its chain whole, one champion by all four records.\n",
        "| | second day | last day | ratio |",
        "|---|---|---|---|",
    ]
    for name in found.columns[1:-1]:
        before, after = second[name].median(), last[name].median()
        lines.append(f"| {name} | {before:.2f} | {after:.2f} | {after / before:.2f} |")
    half = len(found) // 2
    grown = [part["kept on disk, MB"].iloc[-1] - part["kept on disk, MB"].iloc[0] for part in (second, last)]
    lines.append(f"| added to the disk in a day, MB | {grown[0]:.1f} | {grown[1]:.1f} | {grown[1] / grown[0]:.2f} |")
    lines += [
        "",
        "Rows come in hourly files here, the smallest deliveries there are: the log has 24 times the files of a daily "
        "delivery until the weekly round of the store, here after half of the time, puts those of a day together. CPU "
        f"of an hour in the day before it {found.iloc[half - 24 : half]['CPU of an hour, s'].median():.2f} s, in the "
        f"day after it {found.iloc[half : half + 24]['CPU of an hour, s'].median():.2f} s.",
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
