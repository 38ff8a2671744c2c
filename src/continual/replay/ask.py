"""`continual replay` for Python: a deployment's log, or a plain table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from continual.flows.workspace import Workspace
from continual.policy.load import LoadedPolicy
from continual.replay.comparison import Comparison
from continual.replay.contenders import Policies, contenders
from continual.replay.deployment import folder_of, logged_history
from continual.replay.lab import Lab, Progress, save_comparison
from continual.replay.report import write_report
from continual.replay.table import TableColumns, history_of, read_table
from continual.settings import Settings


@dataclass(frozen=True)
class Replayed:
    """comparison: numbers. report: HTML page for people. folder: of sandboxes and caches."""

    comparison: Comparison
    report: Path
    folder: Path


@dataclass(frozen=True)
class Looks:
    """Which looks: inside [start, end], by the cron expression `every` (None: each policy's schedule), or `at` these
    instants."""

    start: datetime | None = None
    end: datetime | None = None
    every: str | None = None
    at: tuple[datetime, ...] = ()


def replay(
    ws: Workspace,
    policies: Policies = (),
    looks: Looks | None = None,
    *,
    with_current: bool = True,
    jobs: int = 1,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Replayed:
    """Replay the application's log under these policies and the one in force. The deployment is only read.

    Raises
    ------
    PolicyError: see `contenders`. NotEnoughData: there is nothing to replay or to compare.
    """
    folder = out or folder_of(ws)
    own = looks or Looks()
    lab = Lab(logged_history(ws), folder, ws.settings, own.start, own.end, own.every, own.at, ws.loaded)
    return _run(lab, ws.loaded, policies, with_current, jobs, progress)


def replay_table(
    file: Path,
    loaded: LoadedPolicy,
    columns: TableColumns,
    policies: Policies = (),
    looks: Looks | None = None,
    *,
    out: Path,
    with_current: bool = True,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Replayed:
    """Replay a Parquet or CSV file under a policy and others, without any deployment.

    Raises
    ------
    BatchError: the table does not fit the policy. PolicyError, NotEnoughData: see `replay`.
    """
    own = looks or Looks()
    history = history_of(read_table(file), loaded.policy, columns)
    start = own.start or max(loaded.policy.active.start, history.span.start)
    lab = Lab(history, out, Settings.from_environment({}), start, own.end, own.every, own.at)
    return _run(lab, loaded, policies, with_current, jobs, progress)


def _run(
    lab: Lab, base: LoadedPolicy, policies: Policies, with_current: bool, jobs: int, progress: Progress | None
) -> Replayed:
    found, _ = lab.run(contenders(base, policies, with_current), jobs, progress)
    save_comparison(found, lab.folder / "comparison.json")
    return Replayed(found, write_report(found, lab.folder / "report.html"), lab.folder)
