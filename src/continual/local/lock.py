"""One stack per home at a time."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from continual.errors import ContinualError


def lock_home(path: Path, patience: float = 20.0) -> int:
    """Take the lock file; returns its descriptor, to be closed to give the lock up.

    patience: seconds to wait for the watchdog of a killed stack, which holds the lock until all is stopped.

    Raises
    ------
    ContinualError: another stack runs on this home.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            if time.monotonic() >= deadline:
                os.close(handle)
                break
            time.sleep(0.2)
    raise ContinualError(
        "Only one stack may run on a home.",
        f"another one holds {path}.",
        "stop it, or give this one another home.",
    )
