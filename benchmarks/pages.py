"""What the pages cost the server, with nothing cached between requests.

    python benchmarks/pages.py --home var/pages --write

CPU seconds of one request (user + system, one thread, median of --repeats after one to import and compile), rendering
included, and as a multiple of reading and unpacking the cells that the Slices page is made of: 500 slices, 90 days,
three versions. Writes docs/results/pages.md with --write.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pages_data as data
from fastapi import FastAPI
from rich.console import Console
from starlette.testclient import TestClient

from continual.cells.block import Block
from continual.core.window import Window
from continual.flows.cells import plan_of
from continual.ui.pages import Pages, router, static_file
from continual.ui.site import Site

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "pages.md"
BASE = f"/continual/apps/{data.APP}"
WINDOW = f"window={data.START:%Y-%m-%d}..{data.END:%Y-%m-%d}"
REQUESTS = {
    "Slices, champion, candidate and previous": f"{BASE}/slices?{WINDOW}",
    "Slices, worst first, page 3": f"{BASE}/slices?{WINDOW}&sort=worst&page=3",
    "Slices, one version": f"{BASE}/slices?{WINDOW}&version=champion",
    "History of a slice": f"{BASE}/slices/history?{WINDOW}&slice=c3=c3-07",
    "Timeline": f"{BASE}/timeline?{WINDOW}",
    "Verdict": f"{BASE}/verdict",
    "Verdict of a run": f"{BASE}/run?dag_id={data.APP}.monitor&run_id=run19999",
    "Ledger, newest": f"{BASE}/ledger",
    "Ledger, page in the middle": f"{BASE}/ledger?before=50000",
    "Ledger, words that are nowhere": f"{BASE}/ledger?q=nowhere",
    "Ledger, one entry with 500 slices": f"{BASE}/ledger/99998",
    "Applications": "/continual/",
}
GOAL = 1.0
err = Console(stderr=True)


def client(home: Path, bins: int) -> tuple[TestClient, Site]:
    site = Site(data.make(home, bins))
    pages = Pages(site, lambda _, names: list(names))
    inner = FastAPI()
    inner.include_router(router(pages))
    inner.add_api_route("/static/{name}", static_file)
    outer = FastAPI()
    outer.mount("/continual", inner)
    return TestClient(outer), site


def cpu(work: Callable[[], object], repeats: int) -> float:
    spent = []
    for _ in range(repeats + 1):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return median(spent[1:])


def unpack(site: Site) -> None:
    """The reference: what no page of these cells can do without."""
    ws = site.open(data.APP)
    kept = ws.cells.read(Window(data.START, data.END), data.NAMES[1:], plan_of(ws.policy).layout, data.AS_OF)
    assert sum(len([Block.from_bytes(one.blob) for one in days]) for days in kept.values()) == 3 * data.DAYS


def get(web: TestClient, url: str) -> None:
    answer = web.get(url)
    assert answer.status_code == 200, url
    assert "Nothing to show</h1>" not in answer.text, url


def measure(home: Path, bins: int, repeats: int) -> dict[str, float]:
    web, site = client(home / str(bins), bins)
    out = {"reading and unpacking the cells": cpu(lambda: unpack(site), repeats)}
    for name, url in REQUESTS.items():
        out[name] = cpu(lambda url=url: get(web, url), repeats)
        err.print(f"{bins} bins: {name}: {out[name]:.3f} CPU s")
    return out


def report(found: dict[int, dict[str, float]]) -> str:
    lines = [
        "# Pages: what they cost the server",
        "",
        "`python benchmarks/pages.py --write`: 500 slices, 90 days of 20,000 rows, three versions with cells on every",
        "day, 1,000 versions, 100,000 ledger entries, SQLite. CPU seconds of one request, one thread, nothing cached",
        f"between requests; goal for the Slices page {GOAL:g} s. Ratio: to reading and unpacking the same cells, in",
        "the same run.",
        "",
        "| page | " + " | ".join(f"{bins} bins, CPU s | ratio" for bins in found) + " |",
        "|---|" + "---|---|" * len(found),
    ]
    names = list(next(iter(found.values())))
    for name in names:
        cells = [f"{one[name]:.3f} | {one[name] / one[names[0]]:.2g}" for one in found.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Python {platform.python_version()}, {platform.machine()}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--home", type=Path, default=Path("var/pages"), help="made-up deployments (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write docs/results/pages.md")
    args = parser.parse_args()
    text = report({bins: measure(args.home, bins, args.repeats) for bins in (1024, 256)})
    print(text)
    if args.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
