"""From an instant of knowledge to the windows of a retrain; the judging window is always the later one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from continual.core.window import Window, floor_day, utc
from continual.errors import NotEnoughData
from continual.policy.models import Policy


@dataclass(frozen=True)
class RetrainWindows:
    """training ends where evaluation starts: disjoint by time by construction (s9)."""

    training: Window
    evaluation: Window


def matured_until(policy: Policy, as_of: datetime) -> datetime:
    """End of the last whole UTC day whose labels had `label.lag` to come (s8)."""
    return floor_day(utc(as_of) - policy.label.lag)


def retrain_windows(policy: Policy, as_of: datetime) -> RetrainWindows:
    """Training and judging window known at `as_of`.

    Raises
    ------
    NotEnoughData: there is no room for both after `active.start`.
    """
    end = matured_until(policy, as_of)
    split = end - policy.window.evaluation
    start = policy.active.start
    if policy.window.kind == "sliding":
        start = max(start, split - policy.window.length)
    if split <= start:
        raise NotEnoughData(
            "There must be history before the judging window.",
            f"as of {as_of:%Y-%m-%d} the judging window starts {split:%Y-%m-%d}, history {start:%Y-%m-%d}.",
            "wait, or shorten window.evaluation.",
        )
    return RetrainWindows(Window(start, split), Window(split, end))
