"""The tutorial runs whole in tests/e2e; here: its table is as the page says, and its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import typer

from continual.cli.main import app

FOLDER = Path(__file__).parents[2] / "docs" / "tutorial"
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_table_is_small_and_as_described() -> None:
    assert (FOLDER / "bikes.parquet").stat().st_size < 200_000
    table = pq.read_table(FOLDER / "bikes.parquet")
    assert f"{len(table):,} rows" in TEXT
    assert "none is claimed here" in TEXT


def test_its_commands_exist() -> None:
    known = typer.main.get_command(app).commands
    lines = "".join(re.findall(r"```console\n(.*?)```", TEXT, re.S)).splitlines()
    asked = [shlex.split(line)[1] for line in lines if line.startswith("continual ")]
    assert len(asked) >= 12 and set(asked) <= set(known)


def test_its_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link]
    assert links and [link for link in links if not (FOLDER / link).exists()] == []
