"""What the README and the contributing guide say can be done, can be done."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import continual.triggers
from continual.cli.main import app
from continual.triggers.base import TRIGGERS, TriggerEvidence

ROOT = Path(__file__).parents[2]
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def _commands(program):
    blocks = [block for text in TEXTS.values() for block in re.findall(r"```console\n(.*?)```", text, re.S)]
    lines = [line.split("#")[0].split() for block in blocks for line in block.splitlines()]
    inline = [found.split() for text in TEXTS.values() for found in re.findall(rf"`({program} [^`]*)`", text)]
    return sorted({words[1] for words in [*lines, *inline] if len(words) > 1 and words[0] == program})


def test_s56_every_make_target_named_exists():
    named = _commands("make")
    assert {"demo", "test", "unit", "lint", "types"} <= set(named)
    assert [target for target in named if not re.search(rf"^{target}:", MAKEFILE, re.M)] == []


def test_s56_every_command_named_exists():
    named = [command for command in _commands("continual") if not command.startswith("-")]
    assert {"check", "up", "status"} <= set(named)
    failing = [command for command in named if CliRunner().invoke(app, [command, "--help"]).exit_code]
    assert failing == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_to_a_file_leads_somewhere(name):
    links = re.findall(r"\]\(([^)#:]+)\)", TEXTS[name])
    assert links or name == "CONTRIBUTING.md"
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_strategy_in_the_contributing_guide_works_as_written(tmp_path, monkeypatch):
    [code] = re.findall(r"```python\n(.*?)```", TEXTS["CONTRIBUTING.md"], re.S)
    (tmp_path / "weekday.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(continual.triggers, "__path__", [*continual.triggers.__path__, str(tmp_path)])
    TRIGGERS.__dict__.pop("_locations", None)
    try:
        trigger = TRIGGERS.build({"kind": "weekday", "day": 0})
        monday = datetime(2013, 7, 1, tzinfo=UTC)
        decision = trigger.decide(TriggerEvidence(monday, None, 0, has_champion=False))
        assert (decision.retrain, decision.reason) == (True, "Monday, due")
    finally:
        TRIGGERS.__dict__.pop("_locations", None)
        sys.modules.pop("continual.triggers.weekday", None)
