"""Five hundred applications, a thousand versions, a hundred thousand decisions: what grows with them and what does not.

python benchmarks/load.py --home DIR --write     writes docs/results/load.md

CPU seconds, so that other work on the machine counts little. Parsing: `dags/applications.py` in a process of its own,
as the DAG processor runs it, and what Airflow writes to its database for it (serialization), per application and as a
ratio to one application. Store: calls of the flows on a ledger of 100,000 entries and 1,000 versions, as a ratio to
the same calls on one of 2,000 entries.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pages_data as data
from rich.console import Console

from continual.flows.status import status
from continual.flows.workspace import Workspace

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results" / "load.md"
APPLICATIONS = (1, 50, 500)
PARSE = """
import json, resource, runpy, time
import airflow.sdk
from airflow.sdk import DAG, Asset, AssetAlias, BaseOperator, CronDataIntervalTimetable, Param, TriggerRule
import airflow.sdk.exceptions
from airflow.serialization.serialized_objects import DagSerialization

started = time.process_time()
namespace = runpy.run_path("dags/applications.py")
parsed = time.process_time() - started
dags = [value for value in namespace.values() if isinstance(value, DAG)]
started = time.process_time()
size = sum(len(json.dumps(DagSerialization.to_dict(dag))) for dag in dags)
serialized = time.process_time() - started
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print("RESULT" + json.dumps([len(dags), parsed, serialized, size, memory]))
"""
err = Console(stderr=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="empty scratch folder")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    with err.status("parsing"):
        parsing = [_parse(given.home / f"apps{number}", number) for number in APPLICATIONS]
    with err.status("store"):
        small, large = (_store(given.home / f"ledger{n}", n) for n in (2000, data.ENTRIES))
    page = _page(parsing, small, large)
    print(page)
    if given.write:
        _, mark, kept = PAGE.read_text(encoding="utf-8").partition("\n## In a real Airflow\n")  # load_airflow.py's part
        PAGE.write_text(page + mark + kept, encoding="utf-8")


def _parse(folder: Path, number: int) -> list[float]:
    """[DAGs, s of parsing, s of serialization, bytes, MB]."""
    configs = folder / "configs"
    configs.mkdir(parents=True)
    text = (ROOT / "configs" / "flights.yaml").read_text(encoding="utf-8")
    for one in range(number):
        name = f"app{one:03d}"
        renamed = text.replace("application: flights", f"application: {name}")
        (configs / f"{name}.yaml").write_text(renamed, encoding="utf-8")
    own = {"AIRFLOW_HOME": folder / "airflow", "CONTINUAL_HOME": folder / "home", "CONTINUAL_CONFIGS": configs}
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CONTINUAL"))}
    environment |= {key: str(value) for key, value in own.items()}
    done = subprocess.run(
        [sys.executable, "-c", PARSE], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    [line] = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    found: list[float] = json.loads(line.removeprefix("RESULT"))
    return found


def _store(home: Path, entries: int) -> dict[str, float]:
    """Call -> CPU ms."""
    data.ENTRIES = entries
    settings = data.make(home, 256)

    def fresh() -> Workspace:
        return Workspace.open(data.APP, run="load", settings=settings)

    number = 0

    def append(ws: Workspace) -> None:
        nonlocal number
        number += 1
        ws.ledger.append("trigger", f"load {number}", data.AS_OF, "no retrain", {"retrain": False}, "policy")

    calls: dict[str, Callable[[Workspace], Any]] = {
        "record a decision": append,
        "find a decision by its key": lambda ws: ws.ledger.get("load 1"),
        "newest verdict": lambda ws: ws.ledger.last("verdict"),
        "history of champions": lambda ws: ws.champions.read(),
        "`continual status`": status,
        "check the chain, an entry": lambda ws: ws.ledger.verify(),
    }
    found = {}
    for name, call in calls.items():
        spent = []
        for _ in range(4):
            ws = fresh()
            ws.ledger.last()  # open
            began = time.process_time()
            call(ws)
            spent.append((time.process_time() - began) * 1000)
        found[name] = median(spent[1:]) / (entries if name.startswith("check") else 1)
    return found


def _page(parsing: list[list[float]], small: dict[str, float], large: dict[str, float]) -> str:
    one = parsing[0]
    lines = [
        "# Load: applications, versions, decisions\n",
        "`python benchmarks/load.py --home DIR --write`; CPU time of one core.\n",
        "| applications | DAGs | parse, s | an application, ms | serialize, s | KB of DAGs | MB of memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, (dags, parsed, serialized, size, memory) in zip(APPLICATIONS, parsing, strict=True):
        own = f"{1000 * (parsed - one[1]) / (number - 1):.0f}" if number > 1 else ""
        shown = f"| {number} | {dags:.0f} | {parsed:.2f} | {own} | {serialized:.2f} |"
        lines.append(f"{shown} {size / 1024:,.0f} | {memory:.0f} |")
    lines += [
        "",
        "Parsing and serialization are linear in the number of applications; the DAG processor does it again when its "
        "interval is over (`min_file_process_interval`): with hundreds of applications give it minutes, a policy edit "
        "is seen that much later.\n",
        f"| call | 2,000 entries, ms | {data.ENTRIES:,} entries, ms | ratio |",
        "|---|---|---|---|",
        *(
            f"| {name} | {small[name]:.2f} | {ms:.2f} | {ms / max(small[name], 1e-3):.1f} |"
            for name, ms in large.items()
        ),
        "",
        f"{data.VERSIONS:,} versions in both. Pages on the same store: [pages.md](pages.md).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
