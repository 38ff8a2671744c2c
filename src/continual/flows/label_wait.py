"""Waiting for labels without holding anything: look, and say when and how the wait is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from continual.core.window import utc
from continual.errors import NotEnoughData, Skipped
from continual.flows.label_desk import desk_of, reading_of, remember, waiting_tasks
from continual.flows.label_intake import fetch
from continual.flows.workspace import Outcome, Workspace


@dataclass(frozen=True)
class Look:
    """done: nothing more is waited for. asked: rows of the draw. answered: with a label. waiting: may still get one."""

    done: bool
    asked: int
    answered: int
    waiting: int

    @property
    def reason(self) -> str:
        return f"{self.answered:,} of {self.asked:,} rows have their label, {self.waiting:,} wait"


def offer(ws: Workspace) -> Outcome:
    """Put everything that waits before annotators; repeated, it adds nothing.

    Raises
    ------
    LabelerError: the backend does not answer.
    """
    tasks = waiting_tasks(ws)
    offered = ws.policy.labeler.offer(desk_of(ws), tasks)
    remember(ws, offered.memory)
    return Outcome(offered.said, {"offered": len(tasks)})


def look(ws: Workspace, asked: str) -> Look:
    """How far the labels of one request are. asked: its ledger key.

    Raises
    ------
    Skipped: there is no such request. LabelerError: the backend does not answer.
    """
    entry = ws.ledger.get(asked)
    if entry is None:
        raise Skipped("There must be a request for labels.", f"no {asked!r} in the ledger.", "clear the ask task.")
    fetch(ws, entry.as_of)
    found = reading_of(ws).counts(entry.as_of)
    waiting = found["open"] + found["disputed"]
    total = waiting + found["answered"] + found["cancelled"] + found["expired"]
    enough = found["answered"] >= ws.policy.labelling.enough * total
    return Look(enough or not waiting, total, found["answered"], waiting)


def wait_ends(ws: Workspace, asked: str) -> datetime:
    """Wall clock at which a run stops waiting: a task that is cleared does not begin to wait anew."""
    entry = ws.ledger.get(asked)
    if entry is None:
        raise Skipped("There must be a request for labels.", f"no {asked!r} in the ledger.", "clear the ask task.")
    return utc(entry.recorded_at) + ws.policy.labelling.wait


def wait_over(ws: Workspace, found: Look, timed_out: bool) -> Outcome:
    """What the run does now.

    Raises
    ------
    NotEnoughData: time is over and the policy says skip (s11).
    """
    policy = ws.policy.labelling
    if found.done or not timed_out:
        return Outcome(found.reason, {"timed_out": False, "answered": found.answered})
    if policy.on_timeout == "skip":
        raise NotEnoughData(
            f"At least {policy.enough:.0%} of the rows must have their label within {policy.wait} (labelling.wait).",
            f"{found.reason}.",
            "clear this task when more labels are in, raise labelling.wait, or set labelling.on_timeout: continue.",
        )
    return Outcome(
        f"time is over: {found.reason}; going on with these", {"timed_out": True, "answered": found.answered}
    )
