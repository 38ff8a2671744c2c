"""Child processes that say why they died and never outlive their stack.

Each child leads its own session. Airflow moves every task into a process group of its own, so a group kill would
miss tasks; the session covers the whole tree, orphans included.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped, unused-ignore]

from continual.errors import ContinualError

GRACE = 10.0
_POLL = 0.05


@dataclass(frozen=True)
class Session:
    """A process session: its leader's pid and start time (seconds since the epoch, against pid reuse)."""

    leader: int
    started: float

    def members(self) -> list[int]:
        """Pids of the living processes of this session; zombies do not count."""
        return [pid for pid in psutil.pids() if self._holds(pid)]

    def _holds(self, pid: int) -> bool:
        try:
            if os.getsid(pid) != self.leader:
                return False
            process = psutil.Process(pid)
            reused = pid == self.leader and abs(process.create_time() - self.started) > 1.0
            return not reused and process.status() != psutil.STATUS_ZOMBIE
        except (ProcessLookupError, PermissionError, psutil.Error):
            return False

    def ask_to_stop(self) -> None:
        """SIGTERM to the leader, which stops its own children in order."""
        if self._holds(self.leader):
            _send(self.leader, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to every member until none is left (a member may fork meanwhile)."""
        for _ in range(100):
            members = self.members()
            if not members:
                return
            for pid in members:
                _send(pid, signal.SIGKILL)
            time.sleep(_POLL)


def stop_sessions(sessions: Sequence[Session], grace: float = GRACE) -> None:
    """Ask all to stop at once, wait at most `grace` seconds, kill what is left."""
    for session in sessions:
        session.ask_to_stop()
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(session.members() for session in sessions):
        time.sleep(_POLL)
    for session in sessions:
        session.kill()


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class Child:
    """A running program with its output in `log`."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # our own programs, no shell  # nosec B603
                command, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self.session = Session(self._process.pid, psutil.Process(self._process.pid).create_time())

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise unless the program runs.

        Raises
        ------
        ContinualError: it ended; the message holds its exit code and last output.
        """
        code = self._process.poll()
        if code is not None:
            raise ContinualError(
                f"{self.name} must keep running.",
                f"it ended with code {code}. Its last output:\n{last_lines(self.log)}\n",
                f"read {self.log}.",
            )

    def stop(self, grace: float = GRACE) -> None:
        """Stop the program and everything it started; takes at most `grace` seconds plus the kill."""
        stop_sessions([self.session], grace)
        self.reap()

    def reap(self) -> None:
        """Collect the exit code of the ended leader, so that no zombie stays."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=GRACE)


def last_lines(log: Path, count: int = 15) -> str:
    """The last `count` lines of a log, looking at most 16 kB back; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except OSError:
        return ""


def rotate_logs(folder: Path) -> None:
    """Put the logs of the start before aside as `*.log.1`, so that none grows for ever."""
    for log in folder.glob("*.log"):
        os.replace(log, log.with_suffix(".log.1"))
