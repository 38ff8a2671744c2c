"""The story as `make demo` runs it, watched from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[2]
LIMIT = 600.0
PAUSE = 1.0


@dataclass(frozen=True)
class Told:
    """code: exit code. peak: largest sum of proportional memory over all processes, bytes."""

    code: int
    output: str
    home: Path
    seconds: float
    peak: int

    @property
    def disk(self) -> int:
        """Bytes allocated under the home."""
        files = (p for p in self.home.rglob("*") if p.is_file() and not p.is_symlink())
        return sum(p.stat().st_blocks * 512 for p in files)


def tell(home: Path) -> Told:
    """Run it to its end; it is killed, with all it started, after ten minutes."""
    command = [sys.executable, "-m", "continual.demo", "--no-serve", "--home", str(home)]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    log = home.with_suffix(".log")
    began, peak = time.monotonic(), 0
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        while process.poll() is None and time.monotonic() - began < LIMIT:
            peak = max(peak, _memory(process.pid))
            time.sleep(PAUSE)
    finally:
        if process.poll() is None:
            process.kill()  # its watchdog stops the rest
            process.wait()
    return Told(process.returncode, log.read_text(errors="replace"), home, time.monotonic() - began, peak)


def _memory(pid: int) -> int:
    """Proportional set size of a process and all it started: shared pages are counted once."""
    total = 0
    with suppress(psutil.Error):
        tree = psutil.Process(pid)
        for process in [tree, *tree.children(recursive=True)]:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total
