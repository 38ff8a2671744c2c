"""Every `continual` command in a guide exists, with the options that the guide gives it."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

import continual.distances
import continual.metrics
from continual.cli.main import app
from continual.core.histogram import of_values
from continual.distances.base import DISTANCES
from continual.metrics.base import METRICS, Rows

ROOT = Path(__file__).parents[2]
GUIDES = {path.name: path for folder in ("how-to", "explanation") for path in (ROOT / "docs" / folder).glob("*.md")}


def _lines(text):
    blocks = re.findall(r"```console\n(.*?)```", text, re.S)
    inline = re.findall(r"`(continual [^`]*)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return [line for line in [*"".join(blocks).splitlines(), *inline] if line.startswith("continual ")]


def _unknown(line):
    """What of the line is no command, or no option of it."""
    command, words = typer.main.get_command(app), shlex.split(line.partition("#")[0])[1:]
    while words and hasattr(command, "commands"):
        name = words.pop(0)
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    options = {flag for option in command.params for flag in option.opts}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in options]


@pytest.mark.parametrize("name", sorted(GUIDES))
def test_commands_of_the_guides_exist(name):
    lines = [line for line in _lines(GUIDES[name].read_text(encoding="utf-8")) if "|" not in line and "..." not in line]
    assert {line: _unknown(line) for line in lines if _unknown(line)} == {}


def test_an_unknown_command_or_option_would_be_seen():
    assert _unknown("continual metrcis") == ["metrcis"]
    assert _unknown("continual metrics loans --frobnicate") == ["--frobnicate"]
    assert _lines("```console\ncontinual labels\n```") == ["continual labels"]


@pytest.mark.parametrize("name", ["metrics.md", "labels.md", "keep-and-erase.md", "monitor-with-prometheus.md"])
def test_the_guides_of_the_store_show_commands(name):
    assert len(_lines(GUIDES[name].read_text(encoding="utf-8"))) >= 2


@pytest.mark.parametrize("name", sorted(GUIDES))
def test_every_link_of_a_guide_leads_somewhere(name):
    links = re.findall(r"\]\(([^)#:]+)\)", GUIDES[name].read_text(encoding="utf-8"))
    assert [link for link in links if not (GUIDES[name].parent / link).exists()] == []


EXAMPLES = re.findall(r"```py\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S)


def _added(monkeypatch, folder, package, family, kind):
    """The file of the contributing guide that declares `kind`, lying in its family's folder."""
    [code] = [code for code in EXAMPLES if f'Literal["{kind}"]' in code]
    (folder / f"{kind}.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    family.__dict__.pop("_locations", None)


@pytest.fixture
def forget():
    yield
    for family, name in ((METRICS, "metrics.log_cosh"), (DISTANCES, "distances.l2")):
        family.__dict__.pop("_locations", None)
        sys.modules.pop(f"continual.{name}", None)


@pytest.mark.usefixtures("forget")
def test_the_metric_of_the_contributing_guide_works_as_written(tmp_path, monkeypatch):
    _added(monkeypatch, tmp_path, continual.metrics, METRICS, "log_cosh")
    metric = METRICS.build({"kind": "log_cosh", "owner": "a", "priority": "report", "margin": 0.1})
    y, day = np.arange(60.0), np.arange(60) // 10
    rows, score = Rows(y, np.ones(60), day, n=70), y + np.tile([0.5, -1.0, 3.0], 20)
    found = metric.estimate(rows, score)
    assert found.value == pytest.approx(np.log(np.cosh([0.5, 1.0, 3.0])).mean())
    assert found.low < found.value < found.high
    assert metric.compare(rows, y, score).gain == pytest.approx(found.value)


@pytest.mark.usefixtures("forget")
def test_the_distance_of_the_contributing_guide_works_as_written(tmp_path, monkeypatch):
    _added(monkeypatch, tmp_path, continual.distances, DISTANCES, "l2")
    sides = [of_values(np.array(list(text), dtype=object)) for text in ("aaab" * 50, "abbb" * 50)]
    found = DISTANCES.build({"kind": "l2"}).between(*sides)
    assert found.value == pytest.approx(np.sqrt(0.5))
    assert found.low < found.value < found.high
