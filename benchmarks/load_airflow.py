"""Five hundred applications in a real Airflow: what its DAG processor and scheduler need, and how long a run waits.

python benchmarks/load_airflow.py --home DIR --write     fills the second part of docs/results/load.md

A local stack with 12 applications, then one with 500, in one run. Twelve of them are due every two minutes and find
nothing delivered: the cheapest run there is, so that the waiting is Airflow's. CPU seconds of Airflow's processes;
waits are wall time and mean something as the ratio of the two stacks only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console

from continual.local.home import Home
from continual.local.stack import LocalStack

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results" / "load.md"
MARK = "## In a real Airflow\n"
DUE, EVERY = 12, timedelta(minutes=2)
#: As docs/operations/scale-out.md says for hundreds of applications.
SETTINGS = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "900",
    "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "1800",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
}
err = Console(stderr=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="empty scratch folder")
    parser.add_argument("--applications", type=int, default=500)
    parser.add_argument("--runs", type=int, default=24, help="scheduled runs to wait for")
    parser.add_argument("--write", action="store_true", help=f"fill {PAGE.relative_to(ROOT)}")
    given = parser.parse_args()
    found = [_stack(given.home / str(number), number, given.runs) for number in (DUE, given.applications)]
    text = _text(found)
    print(text)
    if given.write:
        page = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
        PAGE.write_text(page.rstrip("\n") + "\n\n" + MARK + "\n" + text, encoding="utf-8")


def _stack(folder: Path, number: int, runs: int) -> dict[str, float]:
    configs, started = _policies(folder / "configs", number), time.monotonic()
    for one in range(number):
        for stream in ("predictions", "labels"):
            (folder / "home" / "landing" / f"app{one:03d}" / stream).mkdir(parents=True)
    with LocalStack(
        Home(folder / "home"), ROOT / "dags", ROOT / "plugins", configs, SETTINGS, progress=err.print, timeout=900
    ) as stack:
        names = {f"app{one:03d}.{dag}" for one in range(number) for dag in ("ingest", "monitor", "retrain", "rollback")}
        _until(lambda: names <= {dag["dag_id"] for dag in stack.airflow.dags()}, 1800, 5)
        known, parsed = time.monotonic() - started, _cpu(stack)
        done = _scheduled(stack, runs)
        idle = _cpu(stack)
        began = time.monotonic()
        time.sleep(60)
        minute = {name: cpu * 60 / (time.monotonic() - began) for name, cpu in _less(_cpu(stack), idle).items()}
        wrong = stack.airflow.import_errors()
    if wrong:
        raise RuntimeError(f"import errors: {wrong}")
    return {"applications": number, "until known": known, "processor": parsed["dag-processor"], **_waits(done),
            **{f"a minute of the {name}": cpu for name, cpu in minute.items()}}  # fmt: skip


def _policies(configs: Path, number: int) -> Path:
    """The first DUE are due every two minutes from now on, the others once a day from tomorrow on."""
    configs.mkdir(parents=True)
    text = (ROOT / "configs" / "flights.yaml").read_text(encoding="utf-8")
    now = datetime.now(UTC).replace(microsecond=0)
    for one in range(number):
        start = now if one < DUE else now + timedelta(days=1)
        changed = (
            text.replace("application: flights", f"application: app{one:03d}")
            .replace("landing/flights/", f"landing/app{one:03d}/")
            .replace("start: 2013-01-01T00:00:00Z", f"start: {start.isoformat()}")
            .replace("end: 2014-01-01T00:00:00Z", f"end: {(now + timedelta(days=9)).isoformat()}")
            .replace('schedule: "@daily"', f'schedule: "{"*/2 * * * *" if one < DUE else "@daily"}"')
        )
        (configs / f"app{one:03d}.yaml").write_text(changed, encoding="utf-8")
    return configs


def _scheduled(stack: LocalStack, count: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(run, its first task) of `count` scheduled runs that ended."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def enough() -> bool:
        ended = [
            run
            for run in stack.airflow.http.get("/dags/~/dagRuns", run_type="scheduled", limit=100)["dag_runs"]
            if run["state"] in ("success", "failed") and run["dag_id"].endswith(".ingest")
        ]
        err.print(f"{len(ended)} of {count} scheduled runs ended")
        if len(ended) < count:
            return False
        for run in ended:
            tasks = stack.airflow.http.get(f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances")
            found.extend((run, task) for task in tasks["task_instances"] if task["task_id"] == "validate")
        return True

    _until(enough, 3600, 5)
    return found


def _waits(done: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, float]:
    """Median seconds from due to made, from scheduled to queued, from queued to started; runs, and how many failed."""

    def seconds(start: str, end: str) -> float:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()

    return {
        "runs": len(done),
        "failed": sum(run["state"] == "failed" for run, _ in done),
        "due to made": median(seconds(run["run_after"], run["queued_at"]) for run, _ in done),
        "scheduled to queued": median(seconds(task["scheduled_when"], task["queued_when"]) for _, task in done),
        "queued to started": median(seconds(task["queued_when"], task["start_date"]) for _, task in done),
    }


def _cpu(stack: LocalStack) -> dict[str, float]:
    """Component -> CPU seconds of its process, what it forked and reaped included. The components are forks of one
    process and share its command line: which is which is told by the log that each writes to."""
    found = dict.fromkeys(("dag-processor", "scheduler"), 0.0)
    for pid in stack.pids:
        with contextlib.suppress(psutil.Error, OSError):
            log, spent = Path(os.readlink(f"/proc/{pid}/fd/1")).stem, psutil.Process(pid).cpu_times()
            if log in found:
                found[log] += spent.user + spent.system + spent.children_user + spent.children_system
    return found


def _less(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}


def _until(true: Any, patience: float, pause: float = 1.0) -> None:
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience:g} s")
        time.sleep(pause)


def _text(found: list[dict[str, float]]) -> str:
    small, large = found
    rows = {
        "DAGs known, s of wall time": "until known",
        "CPU of the DAG processor until then, s": "processor",
        "CPU of the DAG processor, s a minute": "a minute of the dag-processor",
        "CPU of the scheduler, s a minute": "a minute of the scheduler",
        "due until the scheduler made the run, s": "due to made",
        "scheduled until queued, s": "scheduled to queued",
        "queued until started, s": "queued to started",
    }
    ended = ", ".join(f"{f['runs']:.0f} with {f['applications']:.0f} ({f['failed']:.0f} failed)" for f in found)
    lines = [
        f"`python benchmarks/load_airflow.py --home DIR --applications {large['applications']:.0f} --write`: the local "
        f"stack (SQLite, two task slots), {DUE} applications due every two minutes. Scheduled runs that ended: {ended}."
        " Medians; waits are wall time on a machine with other work, read the ratio.\n",
        f"| | {small['applications']:.0f} applications | {large['applications']:.0f} | ratio |",
        "|---|---|---|---|",
        *(
            f"| {title} | {small[name]:.1f} | {large[name]:.1f} | {large[name] / max(small[name], 0.01):.1f} |"
            for title, name in rows.items()
        ),
        "",
        "Settings: " + ", ".join(f"`{name}={value}`" for name, value in SETTINGS.items()) + ". The processor's CPU "
        "falls as the first of them is raised; an edit of a policy is seen that much later.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
