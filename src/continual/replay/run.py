"""One policy through history: look after look, with a checkpoint after each, so that a killed replay goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from continual.core.window import Window, utc
from continual.replay.step import look

if TYPE_CHECKING:
    from continual.replay.sandbox import Sandbox

#: Called with (looks done, looks, what happened) after every look.
Progress = Callable[[int, int, str], None]
#: Looks between two checkpoints.
EVERY = 10


@dataclass
class Passed:
    """How far a sandbox has come. seconds: CPU of its looks so far; retrains: looks that trained. failed: flow and
    instant -> why it could not."""

    until: str | None = None
    looks: int = 0
    seconds: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)


def play(ws: Sandbox, windows: Sequence[Window], progress: Progress | None = None, measure: bool = False) -> Passed:
    """Every look of `windows` that was not done yet; the rows between two looks are answered by the champion of the
    first. Killed and called again, it goes on from the last checkpoint."""
    passed = Passed(**(ws.db.state("passed") or {}))
    done = utc(passed.until) if passed.until else None
    left = [w for w in windows if done is None or w.end > done]
    for window in windows[: len(windows) - len(left)]:
        _serve(ws, window)
    for number, window in enumerate(left, start=1):
        start = time.process_time()
        _serve(ws, window)
        found = look(ws, window, measure)
        passed.seconds += time.process_time() - start
        passed.looks += 1
        passed.until = window.end.isoformat()
        passed.failed |= {f"{name} {window.end:%Y-%m-%d %H:%M}": why for name, why in found.failed.items()}
        if number % EVERY == 0 or number == len(left):
            ws.checkpoint(passed=asdict(passed))
        if progress:
            progress(len(windows) - len(left) + number, len(windows), _told(found.said))
    return passed


def _told(said: dict[str, str]) -> str:
    for name in ("roll_back", "promote", "judge", "curate", "decide", "watch"):
        if name in said:
            return f"{name}: {said[name]}"
    return ""


def _serve(ws: Sandbox, window: Window) -> None:
    """Rows that came since the last look were answered by the champion of then."""
    before = [reign for reign in ws.champions.read() if reign.as_of <= window.start]
    if before:
        version = before[-1].version
        ws.serving.serve(ws.past.part(window), version, ws.book(version))
