"""`continual up --detach` and `continual down`: the stack as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from continual.cli.deployment import Deployment, stack_runs
from continual.cli.options import HOME, HomeOption, JsonOption
from continual.cli.output import console, print_json, say
from continual.errors import ContinualError

_PID, _OUT, _ERR = "up.pid", "up.json", "up.log"
#: Seconds until a slow machine has both servers up; and until both have ended.
_STARTS, _ENDS = 330.0, 60.0


def start(here: Deployment, dags: Path, workers: int) -> dict[str, Any]:
    """Start `continual up` in the background; what it says of itself, once both servers answer.

    Raises
    ------
    ContinualError: one runs already, or it ended before it answered; its log is named.
    """
    home = here.settings.home
    if stack_runs(home):
        raise ContinualError("One stack runs on a home.", f"one runs on {home}.", "use it, or `continual down`.")
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "continual.cli", "up", "--json", "--workers", str(workers), "--dags", str(dags)]
    command += ["--home", str(home), "--configs", str(here.settings.configs)]
    with (home / _OUT).open("wb") as out, (home / _ERR).open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 own program, own arguments  # nosec B603
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    (home / _PID).write_text(str(process.pid), encoding="utf-8")
    return _when_it_answers(process, home)


def _when_it_answers(process: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    deadline = time.monotonic() + _STARTS
    with console(stderr=True).status("starting Airflow and MLflow"):
        while time.monotonic() < deadline:
            with suppress(ValueError):
                return dict(json.loads((home / _OUT).read_text(encoding="utf-8")))
            if process.poll() is not None:
                break
            time.sleep(0.2)
    last = (home / _ERR).read_text(encoding="utf-8").strip().splitlines()[-3:]
    raise ContinualError(
        "Airflow and MLflow must start.", f"{' '.join(last) or 'they do not answer'}.", f"read {home / _ERR}."
    )


def down(home: HomeOption = HOME, as_json: JsonOption = False) -> None:
    """Stop the Airflow and MLflow that `continual up --detach` started on this home. State stays."""
    home = home.expanduser()
    ran = stack_runs(home)
    if ran:
        _stop(home)
    if as_json:
        print_json({"stopped": ran})
    else:
        say("stopped" if ran else f"nothing runs on {home}")


def _stop(home: Path) -> None:
    import psutil

    try:
        pid = int((home / _PID).read_text(encoding="utf-8"))
        if "continual.cli" not in psutil.Process(pid).cmdline():
            raise ProcessLookupError
        os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ValueError, ProcessLookupError, psutil.Error) as error:
        raise ContinualError(
            "The stack must have been started with --detach.",
            f"the one on {home} was not.",
            "end it where it runs: Ctrl-C.",
        ) from error
    deadline = time.monotonic() + _ENDS
    while stack_runs(home) and time.monotonic() < deadline:
        time.sleep(0.2)
    (home / _PID).unlink(missing_ok=True)
