"""Many policies, one history: a sandbox each, side by side in processes, and at the end a comparison."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.core.window import Window, utc
from continual.errors import NotEnoughData
from continual.flows.workspace import Workspace
from continual.replay.clock import ending_at, looks
from continual.replay.comparison import Comparison, compare
from continual.replay.contenders import Contender
from continual.replay.deployment import carry_over
from continual.replay.history import History
from continual.replay.outcome import Played, outcome
from continual.replay.run import play
from continual.replay.sandbox import Sandbox
from continual.settings import Settings

if TYPE_CHECKING:
    from continual.policy.load import LoadedPolicy

#: Called with (policy, looks done, looks, what happened).
Progress = Callable[[str, int, int, str], None]
_MOMENT = timedelta(microseconds=1)
#: What workers of this process have open; a worker's own.
_WORKER: dict[str, Any] = {}


@dataclass(frozen=True)
class Lab:
    """One history and where its replays are kept. folder: sandboxes, shared models and scores, reports.

    start, end: looks inside; None = from `active.start` to the end of the history. every: cron expression of the
    looks instead of the policies' own schedules. at: these instants instead. live: policy of the deployment whose log
    this is, None = a plain table.
    """

    history: History
    folder: Path
    settings: Settings
    start: datetime | None = None
    end: datetime | None = None
    every: str | None = None
    at: tuple[datetime, ...] = ()
    live: LoadedPolicy | None = None

    def looks(self, loaded: LoadedPolicy) -> list[Window]:
        """The looks of one policy.

        Raises
        ------
        NotEnoughData: none lies in the history.
        """
        policy = loaded.policy
        start = self.start or policy.active.start
        end = self.end or _last_known(self.history)
        if self.at:
            found = ending_at([at for at in self.at if at <= end], start)
        else:
            found = looks(self.every or policy.schedule, Window(start, max(end, start + _MOMENT)))
        if not found:
            raise NotEnoughData(
                "A replay needs looks inside the history.",
                f"none between {start:%Y-%m-%d} and {end:%Y-%m-%d}.",
                "choose other --from and --until, or correct active.start of the policy.",
            )
        return found

    def sandbox(self, contender: Contender) -> Path:
        """Folder of a policy; another history, policy or choice of looks is another one."""
        identity = digest([self.history.id, contender.loaded.hash, self.start, self.end, self.every, list(self.at)])
        return self.folder / "sandboxes" / f"{contender.name}-{identity[:12]}"

    def play(self, contender: Contender, progress: Progress | None = None, until: datetime | None = None) -> Played:
        """One policy from where it was left to the end, or to `until`; read from its sandbox when it is done."""
        home = self.sandbox(contender)
        if (home / "played.json").exists():
            return Played.load(home)
        ws = self.open(contender)
        tell = None if progress is None else lambda done, total, what: progress(contender.name, done, total, what)
        with closing(ws.db):
            windows = [w for w in self.looks(contender.loaded) if until is None or w.end <= until]
            found = outcome(ws, contender.name, play(ws, windows, tell))
        if until is None:
            found.save(home)
        return found

    def open(self, contender: Contender) -> Sandbox:
        """The sandbox of a policy as it was left, or a new one."""
        home = self.sandbox(contender)
        ws = Sandbox.at(home, self.folder / "cache", self.history, contender.loaded, self.settings)
        if self.live is not None and ws.db.state("passed") is None:
            carry_over(Workspace(self.settings, self.live), ws.db)
        return ws

    def run(
        self, contenders: Sequence[Contender], jobs: int = 1, progress: Progress | None = None
    ) -> tuple[Comparison, list[Played]]:
        """Every policy, `jobs` at a time, then the comparison; metric and slices are those of the first policy.

        Killed and called again, it goes on: what is played stays.

        Raises
        ------
        NotEnoughData: see `looks` and `compare`.
        """
        played = self.play_all(contenders, jobs, progress)
        return compare(self.history, contenders[0].loaded.policy, played), played

    def play_all(
        self,
        contenders: Sequence[Contender],
        jobs: int = 1,
        progress: Progress | None = None,
        until: datetime | None = None,
    ) -> list[Played]:
        """`play` of each, `jobs` at a time."""
        for one in contenders:
            self.looks(one.loaded)  # refused before hours of work
        if jobs > 1 and len(contenders) > 1:
            self._together(contenders, jobs, progress, until)
        return [self.play(one, progress, until) for one in contenders]

    def _together(
        self, contenders: Sequence[Contender], jobs: int, progress: Progress | None, until: datetime | None
    ) -> None:
        context = get_context("spawn")
        self.history.save(self.folder / "history" / self.history.id)
        queue: Any = context.Manager().Queue()
        plan = (self.folder, self.settings, self.start, self.end, self.every, self.at, self.live)
        with ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_begin, initargs=(self.history.id, plan, queue)
        ) as pool:
            waiting = [pool.submit(_play, one, until) for one in contenders]
            while not all(future.done() for future in waiting):
                _drain(queue, progress, wait=0.5)
            _drain(queue, progress)
            for future in as_completed(waiting):
                future.result()

    def forget(self) -> None:
        """Delete sandboxes, models, scores and reports of all replays in the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _begin(history: str, plan: tuple[Any, ...], queue: Any) -> None:
    kept = History.load(plan[0] / "history" / history)
    _WORKER.update(lab=Lab(kept, *plan), queue=queue)


def _play(contender: Contender, until: datetime | None) -> str:
    _WORKER["lab"].play(contender, lambda *said: _WORKER["queue"].put(said), until)
    return contender.name


def _drain(queue: Any, progress: Progress | None, wait: float = 0.0) -> None:
    from queue import Empty

    try:
        while True:
            said = queue.get(timeout=wait) if wait else queue.get_nowait()
            if progress:
                progress(*said)
    except Empty:
        return


def save_comparison(found: Comparison, file: Path) -> None:
    """As JSON."""
    from continual.core.canonical import plain

    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(plain(found.as_dict()), indent=1), encoding="utf-8")


def _last_known(history: History) -> datetime:
    """Midnight after the last event, by when its labels may not have come."""
    last = utc(history.span.end)
    return last.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
