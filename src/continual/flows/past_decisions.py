"""Earlier decisions on candidates, frozen into the evidence of the next one: they share one yearly budget."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from continual.core.verdict import PastDecision
from continual.core.window import Window, utc
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    from datetime import datetime

    from continual.stores.entry import Entry

YEAR = timedelta(days=365)


def past_decisions(ws: Workspace, window: Window, as_of: datetime, key: str) -> tuple[PastDecision, ...]:
    """Every candidate that was measured against a champion in the year before `as_of` or later (a backfill looks
    back at decisions that came after it), in the order of the ledger; but for the evaluation `key` itself.

    An evaluation that nobody judged counts too: its numbers were seen.
    """
    charged = _charged(ws)
    return tuple(
        _past(entry, window, charged.get(entry.key))
        for entry in ws.ledger.entries(kind="evaluation", since=as_of - YEAR)
        if entry.key != key and entry.evidence["gate"]["champion"] is not None
    )


def _charged(ws: Workspace) -> dict[str, float]:
    """Key of the evaluation -> what its verdict took from the budget."""
    out = {}
    for entry in ws.ledger.entries(kind="verdict"):
        spending = entry.evidence["verdict"].get("spending")
        if spending is not None:
            out[str(entry.evidence["evaluation"]["key"])] = float(spending["charged"])
    return out


def _past(entry: Entry, window: Window, charged: float | None) -> PastDecision:
    gate = entry.evidence["gate"]
    theirs = Window.from_dict(gate["window"])
    return PastDecision(
        gate["candidate"], utc(entry.as_of).isoformat(), theirs.as_dict(), _shared(theirs, window), charged
    )


def _shared(theirs: Window, ours: Window) -> float:
    overlap = min(theirs.end, ours.end) - max(theirs.start, ours.start)
    return max(overlap / (ours.end - ours.start), 0.0)
