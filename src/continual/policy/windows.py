"""From an instant of knowledge to the windows of a retrain; the judging window is always the later one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from continual.core.duration import parse as duration
from continual.core.window import Window, floor_day, utc
from continual.errors import ContinualError, NotEnoughData
from continual.policy.models import Policy
from continual.policy.training_window import TrainingWindow


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
    if split <= start:
        raise NotEnoughData(
            "There must be history before the judging window.",
            f"as of {as_of:%Y-%m-%d} the judging window starts {split:%Y-%m-%d}, history {start:%Y-%m-%d}.",
            "wait, or shorten window.evaluation.",
        )
    return RetrainWindows(training_window(policy, policy.window, split), Window(split, end))


def training_window(policy: Policy, choice: TrainingWindow, end: datetime) -> Window:
    """The rows of `choice` that end at `end`, which is after `active.start`."""
    start = policy.active.start
    return Window(max(start, end - choice.length) if choice.kind == "sliding" else start, end)


def report_window(policy: Policy, as_of: datetime, text: str) -> Window:
    """Whole UTC days to report on: `28d` = the last 28 that matured by `as_of`; `2013-07-01..2013-08-01` = these, the
    last one excluded.

    Raises
    ------
    ContinualError: neither form, not whole days, or no day at all.
    """
    first, dots, last = text.partition("..")
    try:
        if dots:
            days = Window(_midnight(first), _midnight(last))
        else:
            end = matured_until(policy, as_of)
            days = Window(floor_day(end - duration(text)), end)
    except ValueError as error:
        raise ContinualError(
            "A window must be a number of days such as 28d, or two dates such as 2013-07-01..2013-08-01.",
            f"{text!r}: {error}.",
            "write one of the two; the second date is excluded.",
        ) from error
    return days


def _midnight(text: str) -> datetime:
    return utc(f"{date.fromisoformat(text.strip()).isoformat()}T00:00:00+00:00")
