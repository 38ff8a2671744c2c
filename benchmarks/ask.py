"""Memory of a request for labels, and of a retrain's choice of rows, beside that of holding the window.

    OMP_NUM_THREADS=1 python benchmarks/ask.py --home <empty folder> --write

A log of 20 features, 50,000 rows a day, of which a tenth has labels; nobody serves yet, the sampler `diverse` reads all
features. Each case is a process of its own: what its memory grew by, at its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FEATURES, A_DAY = [f"x{i}" for i in range(20)], 50_000
START = datetime(2024, 1, 1, tzinfo=UTC)
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "ask.md"
CASES = {
    "window": "all columns of the window in memory",
    "ask": "`ask`: 1,000 labels chosen among all rows",
    "curate": "`curate`: the labelled rows become a dataset",
}
POLICY = f"""application: wide
owner: benchmark
active: {{start: {START:%Y-%m-%d}T00:00:00Z}}
source: {{kind: folder, predictions: landing/p, labels: landing/l}}
features: {{numeric: [{", ".join(FEATURES)}]}}
tags: [region]
label: {{name: good, lag: 0h}}
window: {{length: DAYSd, evaluation: 1d, min_rows: 10}}
sampler: {{kind: diverse}}
labeler: {{kind: csv}}
labelling: {{budget: 1000, reserve: 0, window: DAYSd, double: 0}}
trainers: [{{name: boosting}}]
slices: [{{by: region}}]
gate: {{kind: graded}}
monitor: {{kind: e_detector}}
metrics: [{{kind: roc_auc, owner: benchmark, priority: primary, margin: 0.02, floor: 0.5}}]
"""


def workspace(home: Path) -> Any:
    from continual.flows.workspace import Workspace
    from continual.settings import Settings

    there = {"CONTINUAL_HOME": str(home), "CONTINUAL_CONFIGS": str(home / "configs")}
    settings = Settings.from_environment({**there, "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"})
    return Workspace.open("wide", run="benchmark", settings=settings)


def write(home: Path, days: int) -> None:
    from continual.flows.log_rows import log_table

    (home / "configs").mkdir(parents=True)
    (home / "configs" / "wide.yaml").write_text(POLICY.replace("DAYS", str(days)))
    ws, rng = workspace(home), np.random.default_rng(0)
    for n in range(days):
        at = START + timedelta(days=n)
        frame = pd.DataFrame(rng.normal(size=(A_DAY, len(FEATURES))), columns=FEATURES)
        frame["record_key"] = [f"row-{n:03d}-{i:06d}" for i in range(A_DAY)]
        frame["event_time"] = pd.to_datetime(at) + pd.to_timedelta(np.arange(A_DAY) * 1.7, unit="s")
        frame["region"] = rng.choice(["east", "north", "west"], A_DAY)
        frame["model_version"], frame["prediction"] = "0", 0.5
        told = pd.DataFrame({"record_key": frame["record_key"][::10], "value": (frame["x0"] > 0)[::10].astype(float)})
        told = told.assign(source="people", known_at=pd.to_datetime(at + timedelta(days=1)))
        known = at + timedelta(days=1)
        ws.log.append_predictions(log_table(ws.policy, "predictions", frame, f"p{n}", known), f"p{n}")
        ws.log.append_labels(log_table(ws.policy, "labels", told, f"l{n}", known), f"l{n}")


def measure(home: Path, case: str, days: int) -> dict[str, Any]:
    from continual.core.window import Window
    from continual.flows import training_pool
    from continual.flows.ask import ask
    from continual.flows.curate import curate
    from continual.flows.logged import labelled_rows

    ws, as_of = workspace(home), START + timedelta(days=days)
    ws.registry.champion()
    labelled_rows(ws, Window(START, START + timedelta(hours=1)), as_of)  # libraries are loaded
    training_pool.read(ws, Window(START, START + timedelta(hours=1)), as_of)
    before = peak()
    if case == "window":
        frame = labelled_rows(ws, Window(START, as_of), as_of)
        said = f"{len(frame):,} rows"
    elif case == "ask":
        said = ask(ws, as_of).reason
    else:
        said = curate(ws, as_of, "benchmark").reason
    return {"case": case, "rows": days * A_DAY, "grew": peak() - before, "said": said}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def page(found: list[dict[str, Any]]) -> str:
    sizes = sorted({f["rows"] for f in found})
    lines = [
        "# Memory of a request for labels",
        "",
        "`python benchmarks/ask.py --home <folder> --write` wrote this page: a log of 20 features, 50,000 rows a day, "
        "a tenth of them labelled. What a process of its own grew by at its peak, in MB, after its libraries were "
        "loaded.",
        "",
        f"| what | {' | '.join(f'{n:,} rows' for n in sizes)} | bytes a further row |",
        "|---|---|---|---|",
    ]
    for case, what in CASES.items():
        own = sorted((f for f in found if f["case"] == case), key=lambda f: f["rows"])
        slope = (own[-1]["grew"] - own[0]["grew"]) * 2**20 / (own[-1]["rows"] - own[0]["rows"])
        grew = " | ".join(f"{f['grew']:,.0f}" for f in own)
        lines.append(f"| {what} | {grew} | {slope:,.0f} |")
    return "\n".join([*lines, "", *NOTES]) + "\n"


NOTES = (
    "`ask` keeps of every row its key, its instant, its chances and what slices read, because each row's chance goes "
    "on record; features are read 200,000 rows at a time. `curate` reads two days at a time and keeps the labelled "
    "rows, which the trainer needs at once. Both still grow with the window: by keys and chances, by labelled rows.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--days", nargs="+", type=int, default=[5, 20])
    parser.add_argument("--one", help="a case: measured in this process")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.home, options.one, options.days[0])))
        return
    found = []
    for days in options.days:
        home = options.home / str(days)
        if not home.exists():
            write(home, days)
        for case in CASES:
            own = [sys.executable, __file__, "--home", str(home), "--days", str(days), "--one", case]
            done = subprocess.run(own, check=True, capture_output=True, text=True, env=dict(os.environ))
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(found[-1], flush=True)
    print(page(found))
    if options.write:
        RESULTS.write_text(page(found))


if __name__ == "__main__":
    main()
