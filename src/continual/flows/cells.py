"""Cells of the log: which days miss something, built by one scan each, read as they were known at any instant.

Names of cells: `live` is every logged row as served, whoever served it; `7` is every logged row as version 7 answers
it, served or scored afterwards; `7~5` is the difference of the two, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from continual.core.window import Window, day_window, days_of, hull, utc
from continual.flows.chosen_days import ChosenDays, drawn_days
from continual.flows.day_rows import LIVE, day_rows
from continual.flows.workspace import Outcome, Workspace

if TYPE_CHECKING:
    from continual.cells.block import Block
    from continual.cells.plan import Plan
    from continual.core.cells import Cells
    from continual.policy.models import Policy
    from continual.stores.cells import StoredCells

EPOCH = date(1970, 1, 1)
#: Days whose cells are stored in one transaction; what is interrupted loses no more than these.
TOGETHER = 10
#: Called with (days done, days, what) after every day.
Progress = Callable[[int, int, str], None]
Pairs = Sequence[tuple[str, str]]


def plan_of(policy: Policy) -> Plan:
    """What the policy's cells hold."""
    from continual.cells.plan import Plan

    classes = len(policy.label.classes)
    made_of = tuple((name, one.root) for name, one in policy.projections.items())
    return Plan(tuple(policy.slices), tuple(policy.metrics), policy.label.task, policy.store.bins, classes, made_of)


def survey(ws: Workspace, window: Window, as_of: datetime) -> list[date]:
    """Days whose cells are not there or miss rows or labels known by `as_of`: those of the window, and any other day
    that has cells."""
    as_of, layout = utc(as_of), plan_of(ws.policy).layout
    logged = set(ws.log.logged_days(as_of))
    touched = logged & _touched(ws, layout, as_of)
    inside = logged & set(days_of(window))
    if not (asked := inside | touched):
        return []
    have = _days_with_cells(ws, hull([day_window(day) for day in asked]), layout, as_of)
    return sorted((inside - have) | (touched & (inside | have)))


def _touched(ws: Workspace, layout: str, as_of: datetime) -> set[date]:
    """Days of what became known since the last build, or was written since whatever it says of itself. Before the
    newest build only the first counts: cells of the past say what was known then, not what was delivered later. A draw
    of labels is known from when it was asked on."""
    last, newest = ws.cells.latest_build(LIVE, layout, as_of), ws.cells.latest_build(LIVE, layout)
    if last is None or newest is None:
        return set()
    touched = set(ws.log.touched_days(last.as_of, as_of)) | drawn_days(ws, as_of, last.as_of)
    return touched | set(ws.log.added_days(last.snapshots)) if last.as_of == newest.as_of else touched


def refresh(ws: Workspace, window: Window, as_of: datetime, progress: Progress | None = None) -> Outcome:
    """`survey`, `build` and `settle`: afterwards everything known by `as_of` is in the cells."""
    heads = ws.log.heads()
    built = build(ws, survey(ws, window, as_of), as_of, progress=progress)
    settle(ws, as_of, heads)
    return built


def build(
    ws: Workspace, days: Iterable[date], as_of: datetime, pairs: Pairs = (), progress: Progress | None = None
) -> Outcome:
    """Build and keep the cells of these days as known at `as_of`. Safe to repeat, and by several workers at once.

    Raises
    ------
    SliceError: a slice column is not logged. StoreError: the log cannot be read.
    """
    as_of, plan, wanted, rows = utc(as_of), plan_of(ws.policy), list(days), 0
    waiting: list[StoredCells] = []
    chosen = ChosenDays.among(ws, wanted, as_of)
    for done, day in enumerate(wanted, start=1):
        blocks = _blocks(chosen, plan, day, pairs)
        waiting += _stored(ws, blocks, plan.layout, day, as_of)
        if done % TOGETHER == 0 or done == len(wanted):
            ws.cells.put(waiting)
            waiting = []
        rows += int(blocks[LIVE].n[0]) if blocks else 0
        if progress:
            progress(done, len(wanted), f"{day}: {rows:,} rows")
    reason = f"cells of {len(wanted)} days built from {rows:,} rows" if wanted else "all cells are up to date"
    return Outcome(reason, {"days": [day.isoformat() for day in wanted], "rows": rows})


def settle(ws: Workspace, as_of: datetime, heads: Mapping[str, str]) -> None:
    """Record that every day `survey` named is built; heads: of the log, as they were before the survey."""
    ws.cells.built(LIVE, plan_of(ws.policy).layout, utc(as_of), heads)


def read(ws: Workspace, names: Sequence[str], window: Window, as_of: datetime) -> dict[str, Cells]:
    """Cells by name over the days of the window that have rows, as known at `as_of`; a name without a row is absent.

    Days without cells, or whose cells miss something known by then, are scanned; what is up to date is kept for the
    next reader.
    """
    from continual.cells.window import stack

    as_of, plan = utc(as_of), plan_of(ws.policy)
    stale = set(survey(ws, window, as_of)) & set(days_of(window))
    found = _read_stored(ws, names, window, as_of, plan, stale)
    missing = _incomplete(ws, found, names, window, as_of, stale)
    pairs = [(a, b) for a, tilde, b in (name.partition("~") for name in names) if tilde]
    newest, chosen = ws.cells.latest_build(LIVE, plan.layout), ChosenDays.among(ws, missing, as_of)
    for day in missing:
        blocks = _blocks(chosen, plan, day, pairs)
        if newest is not None and as_of >= newest.as_of:  # else no build would see what comes to these days later
            ws.cells.put(_stored(ws, blocks, plan.layout, day, as_of))
        for name in names:
            if name in blocks:
                found[name][(day - EPOCH).days] = blocks[name]
    return {name: stack(list(days.values()), plan.specs) for name, days in found.items() if days}


def _read_stored(
    ws: Workspace, names: Sequence[str], window: Window, as_of: datetime, plan: Plan, stale: set[date]
) -> dict[str, dict[int, Block]]:
    from continual.cells.block import Block

    skip = {(day - EPOCH).days for day in stale}
    kept = ws.cells.read(window, {*names, LIVE}, plan.layout, as_of)
    newest = {one.day: one.as_of for one in kept[LIVE]}
    return {
        name: {
            one.day: Block.from_bytes(one.blob)
            for one in kept[name]
            if one.n_rows and one.day not in skip and one.as_of >= newest.get(one.day, one.as_of)
        }
        for name in names
    }


def _incomplete(
    ws: Workspace,
    found: dict[str, dict[int, Block]],
    names: Sequence[str],
    window: Window,
    as_of: datetime,
    stale: set[date],
) -> list[date]:
    """Stale days, and for versions and pairs the days that were built without them."""
    if set(names) <= {LIVE}:
        return sorted(stale)
    logged = set(ws.log.logged_days(as_of)) & set(days_of(window))
    return sorted(d for d in logged if d in stale or any((d - EPOCH).days not in found[n] for n in names))


def _blocks(chosen: ChosenDays, plan: Plan, day: date, pairs: Pairs) -> dict[str, Block]:
    from continual.cells.build import Day, build_day

    table, versions = day_rows(chosen.ws, plan, day, chosen.as_of)
    table, weight = chosen.weighed(day, table)
    if not table.num_rows:
        return {}
    known = [(a, b) for a, b in pairs if a in versions and b in versions]
    live = versions.pop(LIVE)
    twin = next((version for version, columns in versions.items() if columns == live), None)
    own = versions if twin else {LIVE: live, **versions}
    blocks = build_day(Day((day - EPOCH).days, table, own, weight=weight), plan, known)
    return {LIVE: blocks[twin], **blocks} if twin else blocks  # the same rows are not summed twice


def _stored(ws: Workspace, blocks: dict[str, Block], layout: str, day: date, as_of: datetime) -> list[StoredCells]:
    """A day whose rows were all withdrawn says so: a generation without rows replaces what was there. A day without
    rows for another reason, its retention being over, keeps the cells it has."""
    from continual.stores.cells import StoredCells

    if not blocks and not ws.withdrawals.in_force("predictions", as_of, day_window(day)):
        return []
    if not blocks:
        return [StoredCells((day - EPOCH).days, LIVE, layout, as_of, b"", 0, 0)]
    return [
        StoredCells(b.day, name, layout, as_of, b.to_bytes(), int(b.n[0]), int(b.n_labelled[0]))
        for name, b in blocks.items()
    ]


def _days_with_cells(ws: Workspace, window: Window, layout: str, as_of: datetime) -> set[date]:
    return {EPOCH + timedelta(days=day) for day in ws.cells.generations(window, LIVE, layout, as_of)}
