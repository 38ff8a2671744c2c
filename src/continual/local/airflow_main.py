"""Airflow's components, forked from one process that imported Airflow once.

`python -m continual.local.airflow_main LOGS COMPONENT...` with components `migrate` (runs first, to its end),
`api-server`, `dag-processor`, `triggerer`, `scheduler`. Importing Airflow takes 3 CPU-s; four separate commands
would pay for it four times, and share no memory. When a component ends, all end, and so does this process.
CONTINUAL_PRELOAD (comma-separated modules) is imported in the scheduler only.
"""

from __future__ import annotations

import atexit
import importlib
import os
import runpy
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from continual.local.preload import preload

#: Imported before forking; the components import the rest themselves.
_SHARED = ("airflow.__main__", "airflow.jobs.scheduler_job_runner")

#: No log servers: they bind to all interfaces, and the API server reads the log files of its own machine.
COMMANDS = {
    "migrate": ["db", "migrate"],
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
}


def main(logs: Path, components: list[str]) -> int:
    modules = [m for m in os.environ.pop("CONTINUAL_PRELOAD", "").split(",") if m]
    for module in _SHARED:
        importlib.import_module(module)
    if "migrate" in components and (code := _run_to_end("migrate", logs)):
        return code
    family = _Family({_fork(name, logs, modules): name for name in components if name != "migrate"})
    signal.signal(signal.SIGTERM, lambda *_: family.ask_to_stop())
    return family.wait()


def _run_to_end(name: str, logs: Path) -> int:
    _, status = os.waitpid(_fork(name, logs, []), 0)
    return _report(name, status)


class _Family:
    """The running components."""

    def __init__(self, names: dict[int, str]) -> None:
        self._names, self._asked = names, False

    def wait(self) -> int:
        """Wait for all; the first to end takes the others with it. Returns the first exit code that is not 0."""
        code = 0
        while self._names:
            pid, status = os.wait()
            if name := self._names.pop(pid, None):
                code = code or _report(name, status)
                self.ask_to_stop()
                if set(self._names.values()) == {"triggerer"}:
                    self._signal()  # often sits out 10 s after its own child ended; the second time it leaves
        return code

    def ask_to_stop(self) -> None:
        """SIGTERM to each, once: a second one makes a component leave without tidying up."""
        if self._asked:
            return
        self._asked = True
        self._signal()

    def _signal(self) -> None:
        for pid in self._names:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _report(name: str, status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    print(f"airflow {name} ended with code {code}; see {name}.log beside this file", flush=True)
    return code


def _fork(name: str, logs: Path, modules: list[str]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(name, logs, modules)
    return pid


def _become(name: str, logs: Path, modules: list[str]) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _redirect(logs / f"{name}.log")
    if name == "scheduler" and (failed := preload(modules)):
        print("not preloaded:", ", ".join(failed), flush=True)
    sys.argv = ["airflow", *COMMANDS[name]]
    _leave(_run_airflow())


def _run_airflow() -> int:
    try:
        runpy.run_module("airflow", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """Exit without taking the interpreter apart, object by object: that took up to 10 s."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _redirect(log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


if __name__ == "__main__":
    _leave(main(Path(sys.argv[1]), sys.argv[2:]))
