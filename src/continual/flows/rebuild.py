"""The weekly round of the evaluation store: cells over all history, split by days, and what is no longer needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from math import ceil

from continual.core.window import Window, day_window, utc
from continual.errors import Skipped
from continual.flows import cells
from continual.flows.stray_labels import set_aside_strays
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import report_window

#: Mapped tasks a survey asks for at most; each costs a start of a process.
TASKS = 32
#: Readers that began before a snapshot was replaced must be able to finish; a dataset's snapshot stays anyway.
KEEP_SNAPSHOTS = timedelta(days=7)
#: Days a task builds at least, when there are that many.
FEW = 4


def survey(ws: Workspace, window: str | None, as_of: datetime) -> Outcome:
    """data['groups']: the days whose cells are missing or out of date, split for the tasks that build them. window: as
    in `report_window`; None = every day in the log.

    Raises
    ------
    Skipped: the log is empty.
    """
    as_of, heads = utc(as_of), ws.log.heads()
    days = cells.survey(ws, _window(ws, window, as_of), as_of)
    size = max(FEW, ceil(len(days) / TASKS))
    groups = [[day.isoformat() for day in days[i : i + size]] for i in range(0, len(days), size)]
    return Outcome(f"{len(days)} days to build, in {len(groups)} tasks", {"groups": groups, "heads": heads})


def _window(ws: Workspace, window: str | None, as_of: datetime) -> Window:
    if window:
        return report_window(ws.policy, as_of, window)
    logged = ws.log.logged_days(as_of)
    if not logged:
        raise Skipped("There must be rows in the log.", f"none known by {as_of:%Y-%m-%d %H:%M}Z.", "nothing.")
    return Window(day_window(logged[0]).start, day_window(logged[-1]).end)


def build(ws: Workspace, days: Sequence[str], as_of: datetime, progress: cells.Progress | None = None) -> Outcome:
    """Cells of one group of days."""
    return cells.build(ws, [date.fromisoformat(day) for day in days], as_of, progress=progress)


def tidy(ws: Workspace, as_of: datetime, heads: Mapping[str, str] | None = None) -> Outcome:
    """Record that the surveyed days are built (heads: as `survey` says). Drop generations of cells older than
    `store.keep_generations`, rows older than `store.keep_rows`, snapshots of the log that no dataset version refers to
    and files that killed writers left; put the log's small files together; set labels aside that belong to no
    prediction."""
    from continual.flows.erase import expire_snapshots
    from continual.stores.clock import wall_clock

    as_of, kept = utc(as_of), ws.policy.store
    if heads is not None:
        cells.settle(ws, as_of, heads)
    dropped = ws.cells.prune(as_of - kept.keep_generations)
    done = [f"{dropped} old generations of cells dropped", _expired(ws, as_of), set_aside_strays(ws, as_of)]
    small, now = ws.log.erasure.compact()
    done.append(f"{small} small files of the log became {now}")
    # the age of a snapshot or a file is of the disk, not of the data: all that goes by the wall clock here
    old = wall_clock() - KEEP_SNAPSHOTS
    done += [expire_snapshots(ws, old).reason, f"{ws.log.erasure.sweep(old)} files of killed writers deleted"]
    return Outcome("; ".join(done), {"generations": dropped})


def expire(ws: Workspace, before: datetime, reason: str, as_of: datetime) -> Outcome:
    """`erase.expire`, after what goes was counted: of these days nothing but their cells will be left.

    Raises
    ------
    As `erase.expire`.
    """
    from continual.flows.erase import expire as drop

    as_of = utc(as_of)
    with suppress(Skipped):  # an empty log has nothing to count
        missing = cells.survey(ws, _window(ws, None, as_of), as_of)
        cells.build(ws, [day for day in missing if day < utc(before).date()], as_of)
    return drop(ws, before, reason, as_of)


def _expired(ws: Workspace, as_of: datetime) -> str:
    if ws.policy.store.keep_rows is None:
        return "rows are kept"
    try:
        return expire(ws, as_of - ws.policy.store.keep_rows, "older than store.keep_rows", as_of).reason
    except Skipped as nothing:
        return nothing.got
