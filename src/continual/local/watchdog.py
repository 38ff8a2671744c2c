"""Stops a stack's processes when the program that started it is gone, however it ended.

A process of its own (`python -m continual.local.watchdog`): it reads one session a line from its standard input,
whose other end only the starting program holds. End of input means that program exited or was killed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress

from continual.local.process import GRACE, Session, stop_sessions


class Watchdog:
    """The starting program's handle on its watchdog."""

    def __init__(self, env: dict[str, str], keep_open: int) -> None:
        """keep_open: a file descriptor (the home's lock) the watchdog holds until its work is done."""
        self._process = subprocess.Popen(  # our own program, no shell  # nosec B603
            [sys.executable, "-m", "continual.local.watchdog"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[keep_open],
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, session: Session) -> None:
        """Register a session; from now on it cannot outlive this program."""
        assert self._process.stdin is not None  # noqa: S101 for the type checker: PIPE was asked for
        self._process.stdin.write(f"{session.leader} {session.started}\n")
        self._process.stdin.flush()

    def release(self) -> None:
        """Close the pipe: the watchdog stops what is left of the sessions and ends."""
        with suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2 * GRACE)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sessions = []
    for line in sys.stdin:
        leader, started = line.split()
        sessions.append(Session(int(leader), float(started)))
    stop_sessions(sessions)


if __name__ == "__main__":
    main()
