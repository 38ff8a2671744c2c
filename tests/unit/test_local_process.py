from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from continual.errors import ContinualError
from continual.local.lock import lock_home
from continual.local.process import Child, Session, last_lines, rotate_logs

# A parent with a child in a process group of its own, as Airflow gives each task; both ignore SIGTERM.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
print("ready", os.getpid(), flush=True)
time.sleep(60)
"""


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def child_of(tmp_path: Path, code: str) -> Child:
    return Child("program", [sys.executable, "-c", code], dict(os.environ), tmp_path / "program.log")


def test_stop_reaches_children_in_other_process_groups_that_ignore_sigterm(tmp_path: Path) -> None:
    child = child_of(tmp_path, STUBBORN)
    assert eventually(lambda: last_lines(child.log).count("ready") == 2)
    pids = child.session.members()
    assert len(pids) == 2
    child.stop(grace=0.2)
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_an_ended_program_is_reported_with_its_code_and_last_lines(tmp_path: Path) -> None:
    child = child_of(tmp_path, "print('the port is taken'); raise SystemExit(3)")
    assert eventually(lambda: not child.session.members())
    with pytest.raises(ContinualError, match=r"(?s)code 3.*the port is taken.*program\.log"):
        child.check()


def test_a_running_program_passes_the_check(tmp_path: Path) -> None:
    child = child_of(tmp_path, "import time; time.sleep(60)")
    child.check()
    child.stop()
    with pytest.raises(ContinualError, match="-15"):
        child.check()


def test_a_reused_pid_is_not_taken_for_the_leader() -> None:
    me = Session(os.getsid(0), started=0.0)
    assert os.getsid(0) not in me.members()


def test_processes_end_when_the_program_that_started_them_is_killed(tmp_path: Path) -> None:
    parent = f"""
import os, sys, time
from pathlib import Path
from continual.local.process import Child
from continual.local.watchdog import Watchdog
lock = os.open({str(tmp_path / "lock")!r}, os.O_RDWR | os.O_CREAT)
watchdog = Watchdog(dict(os.environ), lock)
child = Child("sleep", ["sleep", "60"], dict(os.environ), Path({str(tmp_path / "sleep.log")!r}))
watchdog.watch(child.session)
print(child.pid, watchdog.pid, flush=True)
time.sleep(60)
"""
    source = str(Path(sys.modules["continual"].__file__ or "").parent.parent)
    env = {**os.environ, "PYTHONPATH": source}
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert all(psutil.pid_exists(pid) for pid in pids)
        process.send_signal(signal.SIGKILL)
    assert eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_a_locked_home_is_refused(tmp_path: Path) -> None:
    held = lock_home(tmp_path / "lock")
    with pytest.raises(ContinualError, match="Only one stack"):
        lock_home(tmp_path / "lock", patience=0.1)
    os.close(held)
    os.close(lock_home(tmp_path / "lock", patience=0.1))


def test_logs_of_the_start_before_are_kept_once(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("old")
    rotate_logs(tmp_path)
    (tmp_path / "a.log").write_text("new")
    rotate_logs(tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.log.1", "new")]
