"""`continual init` as a person at a terminal meets it: questions with guesses, wrong answers asked again."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.integration
ROWS = 400


class Terminal:
    """A program on a real pseudo-terminal. said: what it wrote, without colours."""

    def __init__(self, *command: str) -> None:
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
        self._pid, self._ours = pty.fork()
        if self._pid == 0:
            os.execvpe(command[0], command, env)
        self.said, self._heard = "", 0

    def wait_for(self, text: str, timeout: float = 120) -> None:
        """Until it says `text`, after what was waited for before."""
        deadline = time.monotonic() + timeout
        while (found := self.said.find(text, self._heard)) < 0:
            assert time.monotonic() < deadline, f"not said: {text!r}\n{self.said}"
            assert self._read(1.0), f"ended before saying {text!r}\n{self.said}"
        self._heard = found + len(text)

    def answer(self, question: str, text: str) -> None:
        self.wait_for(question)
        os.write(self._ours, f"{text}\n".encode())

    def end(self, timeout: float = 120) -> int:
        deadline = time.monotonic() + timeout
        while self._read(1.0):
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
        os.close(self._ours)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self, seconds: float) -> bool:
        """False: it has ended."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return True
        try:
            found = os.read(self._ours, 65536)
        except OSError:  # Linux: the other side is closed
            return False
        self.said += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", found.decode(errors="replace")).replace("\r", "")
        return bool(found)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    asked = pd.date_range("2024-01-01", periods=ROWS, freq="6h")
    frame = pd.DataFrame({"loan_id": range(ROWS), "asked_at": asked, "closed_at": asked + pd.Timedelta("30h")})
    frame["income"], frame["town"] = rng.normal(size=ROWS), rng.choice(["east", "west"], ROWS)
    path = tmp_path / "loans.parquet"
    frame.assign(repaid=rng.choice(["no", "yes"], ROWS)).to_parquet(path)
    return path


def _init(table: Path, *more: str) -> Terminal:
    home = table.parent / "home"
    where = ["--home", str(home), "--configs", str(home / "configs")]
    return Terminal(
        sys.executable, "-m", "continual.cli", "init", "loans", "--from", str(table), "--owner", "me", *where, *more
    )


def test_questions_carry_guesses_and_a_wrong_answer_is_asked_again(table: Path) -> None:
    terminal = _init(table)
    terminal.answer("Which column is the label", "repayed")
    terminal.wait_for("did you mean repaid?")
    terminal.answer("Which column is the label", "repaid")
    terminal.answer("when the model answered [asked_at]", "")
    terminal.answer("when the label was known (- for none) [closed_at]", "-")
    terminal.answer("names a row (- for none) [loan_id]", "")
    terminal.answer("binary, multiclass or regression [binary]", "ordinal")
    terminal.wait_for("binary fits this label")
    terminal.answer("binary, multiclass or regression [binary]", "")
    terminal.answer("How late are labels, such as 36h [1d]", "soon")
    terminal.wait_for("must be a number and a unit")
    terminal.answer("How late are labels, such as 36h [1d]", "2d")
    assert terminal.end() == 0, terminal.said
    assert "next: read it" in terminal.said and "Traceback" not in terminal.said
    policy = yaml.safe_load((table.parent / "home" / "configs" / "loans.yaml").read_text())
    assert policy["label"] == {"name": "repaid", "task": "binary", "lag": "2d"}
    assert list((table.parent / "home").rglob("*.parquet"))


def test_what_the_command_line_says_is_not_asked(table: Path) -> None:
    terminal = _init(table, "--label", "repaid", "--time", "asked_at", "--known", "closed_at", "--key", "-")
    terminal.answer("binary, multiclass or regression [binary]", "")
    assert terminal.end() == 0, terminal.said
    assert "Which column" not in terminal.said and "made from instant and position" in terminal.said


def test_ctrl_c_writes_nothing(table: Path) -> None:
    terminal = _init(table)
    terminal.answer("Which column is the label", "\x03")
    assert terminal.end() != 0
    assert "Traceback" not in terminal.said
    assert not (table.parent / "home" / "configs").exists()
