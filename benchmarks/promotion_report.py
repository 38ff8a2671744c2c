"""The page of `benchmarks/promotion_budget.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from operating_report import Line, percent, share

PAGE = Path(__file__).parents[1] / "docs" / "results" / "promotion_budget.md"
Budget = float | None


@dataclass(frozen=True)
class Row:
    """One question in one world: the share under every budget; goal: of yearly_alpha 5%, as in `Line`."""

    question: str
    world: str
    found: dict[Budget, Line]
    goal: float | None
    note: str = ""

    def cells(self) -> list[str]:
        shown = [f"{percent(x.value)} ({percent(x.low)} to {percent(x.high)})" for x in self.found.values()]
        line = next(iter(self.found.values()))
        goal = "" if self.goal is None else f"{'≥' if self.goal > 0 else '≤'} {percent(abs(self.goal))}"
        met = "no goal" if self.goal is None else self.found[0.05].met
        return [self.question, self.world, f"{line.runs:,}", *shown, goal, met, self.note]


def result(question: str, world: str, hits: dict[Budget, list[bool]], goal: float | None, note: str = "") -> Row:
    return Row(question, world, {b: share(question, world, found, goal) for b, found in hits.items()}, goal, note)


def write(bad: list[Row], wins: list[Row], budgets: list[Budget], asked: str) -> None:
    """The committed page."""
    slowest = min(next(iter(row.found.values())).runs for row in (*bad, *wins) if row.goal is not None)
    few = "" if slowest >= 2000 else " **Some rows with a goal have fewer than 2,000 runs.**"
    text = f"""# The yearly budget of wrong promotions: what it keeps, what it costs

`python benchmarks/promotion_budget.py {asked}` wrote this page. Simulation as on
[operating characteristics](operating_characteristics.md): the real gate on the real accuracy, 20 slices, margin 2
points; day-clustered: rows of a day move together (2 points). Shares with exact 95% intervals. Rule:
[ADR 0010](../adr/0010-promotion-budget.md). The number of runs stands in every row.{few}

## A bad promotion within a year of 52 candidates
Bad = truly more than 2 points worse, overall or in a slice. "None better": equal, 1 or 3 points worse everywhere, or 3,
5 or 10 points worse in one slice with the others up so that overall is 0; one of six, equally likely. The budget holds
for any mix, so a mix with many candidates that are far worse stays well below it.

{_markdown(bad, budgets)}

## A candidate that is truly 1 point better everywhere: promoted within four cycles
"After a pause": nothing was judged for four months or never; "after a year": every cycle of the year before had a
candidate. Where 5% misses 80%, read on to the right: that is the frontier. What helps is more days in the window, a
slower cadence, or a larger `yearly_alpha`.

{_markdown(wins, budgets)}
"""
    PAGE.write_text(text, encoding="utf-8")


def _markdown(rows: list[Row], budgets: list[Budget]) -> str:
    """A table with a column for every budget."""
    columns = ["none, as before" if b is None else f"`yearly_alpha` {b:.0%}" for b in budgets]
    head = ["candidates", "rows", "runs", *columns, "goal at 5%", "met", "note"]
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
