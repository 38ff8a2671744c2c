"""Which versions a page compares, and where the numbers of each come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from typing import TYPE_CHECKING, Any

from continual.core.estimate import Estimate
from continual.core.window import Window
from continual.flows.workspace import Workspace
from continual.stores.ledger_pages import LedgerPages
from continual.ui.stored import stored

if TYPE_CHECKING:
    from continual.core.cells import Cells
    from continual.stores.entry import Entry

#: (slice, metric) -> what is known.
Table = dict[tuple[str, str], Estimate]
ROLES = ("champion", "candidate", "previous")


@dataclass(frozen=True)
class Role:
    """A version in a role, measured. source: where the numbers come from, for people. days: of the window, that the
    version answered; None where another window was judged. table: empty when nothing is known in this window."""

    role: str
    version: str
    source: str
    days: int | None
    table: Table

    @property
    def slices(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.table))


def named(ws: Workspace, as_of: datetime, judged: Entry | None) -> dict[str, str]:
    """Role -> version as of an instant: the champion, the one before it, and the candidate of the last verdict unless
    it was champion."""
    reigns = [r for r in ws.champions.read() if r.as_of <= as_of]
    reign = reigns[-1] if reigns else None
    out = {"champion": reign.version} if reign else {}
    candidate = str(judged.evidence["candidate"]) if judged else None
    if candidate is not None and candidate not in {r.version for r in reigns}:
        out["candidate"] = candidate
    if reign is not None and reign.previous is not None:
        out["previous"] = reign.previous
    return out


def last_verdict(ws: Workspace, as_of: datetime) -> Entry | None:
    """The newest verdict up to `as_of`."""
    pages = LedgerPages(ws.db, ws.app)
    line = pages.newest("verdict", as_of=as_of)
    return pages.entry(line.seq) if line else None


def measured(ws: Workspace, versions: dict[str, str], window: Window, as_of: datetime) -> list[Role]:
    """Every role over the window; where a version has no cells there, as its gate judged it.

    One after the other: the cells of a version take memory that the next one finds warm.
    """
    return [_role(ws, role, version, window, as_of) for role, version in versions.items()]


def _role(ws: Workspace, role: str, version: str, window: Window, as_of: datetime) -> Role:
    cells = stored(ws, version, window, as_of)
    if cells is not None:
        served, whole = len(cells.day), round(window.days)
        source = f"{served} of {whole} days" if served < whole else f"all {whole} days"
        return Role(role, version, source, served, dict(_from_cells(ws, cells)))
    return _judged(ws, role, version, as_of)


def _from_cells(ws: Workspace, cells: Cells) -> Iterator[tuple[tuple[str, str], Estimate]]:
    for metric in ws.policy.metrics:
        if metric.carried() is None:
            continue
        for name, estimate in zip(cells.slices, metric.from_cells(cells), strict=True):
            yield (name, metric.name), estimate


def _judged(ws: Workspace, role: str, version: str, as_of: datetime) -> Role:
    frame = ws.evaluations.read(as_of=as_of, purpose="gate", model_version=version)
    if frame.empty:
        return Role(role, version, "no answers in this window", 0, {})
    last = frame[frame["as_of"] == frame["as_of"].max()]
    last = last[last["decision_key"] == last["decision_key"].iloc[-1]]
    window = Window(last["window_start"].iloc[0], last["window_end"].iloc[0])
    table = {(row.slice, row.metric): _recorded(row) for row in last.itertuples()}
    return Role(role, version, f"as its gate judged it, {window}", None, table)


def _recorded(row: Any) -> Estimate:
    value, low, high = (None if isnan(number) else float(number) for number in (row.value, row.low, row.high))
    return Estimate(value, low, high, int(row.n), int(row.n_labelled), row.method)
