"""The error rates in the README are those of the pages they come from."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORLDS = ("independent", "day-clustered")
GATE, BUDGET = "operating_characteristics.md", "promotion_budget.md"


def _rows(text: str) -> list[list[str]]:
    """Cells of every line of every table."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


PAGES = {name: _rows((ROOT / "docs" / "results" / name).read_text(encoding="utf-8")) for name in (GATE, BUDGET)}
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLE = _rows(README.partition("## Its error rates")[2].partition("\n## ")[0])


def _told(start: str) -> list[str]:
    """What the README says, by world."""
    (row,) = [row for row in TABLE if row[0].startswith(start)]
    return row[1:]


def _measured(page: str, start: str, column: int) -> list[str]:
    """What the page says of a question, by world; without the interval."""
    by_world = {row[1]: row[column] for row in PAGES[page] if row[0].startswith(start)}
    return [by_world[world].split(" (")[0] for world in WORLDS]


def _whole(shares: list[str]) -> list[str]:
    return [f"{float(share.rstrip('%')):.0f}%" for share in shares]


def test_vetoes():
    assert _told("An equal candidate") == _measured(GATE, "Equal candidate (accuracy)", 4)
    assert _told("A 10-point break") == _whole(_measured(GATE, "10-point regression in one slice with 300", 4))


def test_promotions():
    assert _told("52 weekly candidates") == _measured(BUDGET, "none better, weekly, rolling 4 weeks", 4)
    weekly = "weekly, rolling 4 weeks, 1,000 labels a slice and week, after a "
    pause, year = (_whole(_measured(BUDGET, weekly + when, 4)) for when in ("pause", "year"))
    assert _told("A candidate one point better") == [f"{a} / {b}" for a, b in zip(pause, year, strict=True)]


def test_rollbacks():
    question = "Equal champions, overall"
    assert _told("A false rollback") == _measured(GATE, question, 4)
    (row,) = [row[0] for row in TABLE if row[0].startswith("A false rollback")]
    lasting = [_in_world(question, f"shocks last ({much})").split(" (")[0] for much in (".2", ".5", ".8")]
    assert re.findall(r"[\d.]+%", row) == lasting
    assert lasting[-1] in README.partition("## Limits of this release")[2]


def _in_world(start: str, world: str) -> str:
    (found,) = [row[4] for row in PAGES[GATE] if row[0].startswith(start) and row[1] == world]
    return found


def test_delays():
    found = _measured(GATE, "3 points on all rows, 2,000 labels a day, fault from day 60", 4)
    assert _told("Median days") == [days.removesuffix(" d") for days in found]
