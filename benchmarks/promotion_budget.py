"""A year of candidates against the yearly budget, and what the budget costs in power: the frontier.

    python benchmarks/promotion_budget.py --runs 2000 --seed 0

Writes docs/results/promotion_budget.md; `--part` prints one part of it and writes nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import simulate as sim
from operating_report import Line, percent, share
from rich.console import Console

from continual.core.verdict import Answer, PastDecision
from continual.gates.base import GATES

SLICES, LABELS, WEEK = 20, 1000, 7
WORLDS = {"independent": False, "day-clustered": True}
RESULTS = Path(__file__).parents[1] / "docs" / "results"
START = datetime(2013, 1, 1, tzinfo=UTC)
#: yearly_alpha -> gate; None: evidence without a history, each decision at 5% divided by 1 + uses, as it was before.
GATES_BY_BUDGET = {budget: GATES.get("graded")(yearly_alpha=budget or 0.05) for budget in (None, 0.05, 0.10, 0.20)}


@dataclass(frozen=True)
class Plan:
    """How often a candidate comes and what judges it. labels: a slice and week; weeks: of the window; every: weeks."""

    text: str
    labels: int
    weeks: int
    every: int = 1


FRESH = Plan("weekly, a fresh week each, 1,000 labels a slice", LABELS, 1)
ROLLING = Plan("weekly, rolling 4 weeks, 1,000 labels a slice in the window", LABELS // 4, 4)
RICH = Plan("weekly, rolling 4 weeks, 1,000 labels a slice and week", LABELS, 4)
MONTHLY = Plan("every 4 weeks, a fresh window of 4 weeks, 1,000 labels a slice and week", LABELS, 4, 4)


def not_better(rng: np.random.Generator) -> np.ndarray:
    """Equal, 1 or 3 points worse everywhere, or one slice 3, 5, 10 points worse and the others up to overall 0."""
    which = rng.integers(0, 6)
    if which < 3:
        return np.full(SLICES, [0.0, -0.01, -0.03][which])
    broken = [0.03, 0.05, 0.10][which - 3]
    effect = np.full(SLICES, broken / (SLICES - 1))
    effect[rng.integers(0, SLICES)] = -broken
    return effect


def half_broken(rng: np.random.Generator) -> np.ndarray:
    """1 point better but for one slice that is 3, 5 or 10 points worse."""
    effect = np.full(SLICES, 0.01)
    effect[rng.integers(0, SLICES)] = -rng.choice([0.03, 0.05, 0.10])
    return effect


def better(rng: np.random.Generator) -> np.ndarray:
    """1 point better everywhere."""
    return np.full(SLICES, 0.01)


@dataclass(frozen=True)
class Counts:
    """Rows of a window by day and slice, arrays (days, slices): all, those the champion gets right, and the shocks.

    Rows of one day and slice are exchangeable, so that counts have the law of `simulate.window`, at a tenth of the
    time; they become rows where a gate must read them.
    """

    n: np.ndarray
    right: np.ndarray
    shock: np.ndarray


def week_of(rng: np.random.Generator, labels: int, clustered: bool) -> Counts:
    """A fresh week with `labels` rows a slice."""
    n = rng.multinomial(labels, np.full(WEEK, 1 / WEEK), size=SLICES).T
    return Counts(n, rng.binomial(n, sim.ACCURACY), sim.shocks(rng, WEEK, SLICES, clustered))


def decisions(
    rng: np.random.Generator, plan: Plan, clustered: bool, first: int, last: int, effect: Callable
) -> Iterator[tuple[float, dict[float | None, bool]]]:
    """Smallest effect of a candidate, and under each budget whether it is promoted; cycles [first, last).

    Cycles before `first` had candidates too, which only took from the budget.
    """
    weeks: list[Counts] = []
    for week in range(first * plan.every - plan.weeks + 1, (last - 1) * plan.every + 1):
        weeks = [*weeks, week_of(rng, plan.labels, clustered)][-plan.weeks :]
        if len(weeks) == plan.weeks and week % plan.every == 0:
            found = effect(rng)
            rows = Counts(*(np.concatenate([getattr(w, f) for w in weeks]) for f in ("n", "right", "shock")))
            yield float(found.min()), _promoted(rng, rows, found, plan, week // plan.every)


def _flips(rng: np.random.Generator, rows: Counts, effect: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows only the candidate and only the champion gets right, as in `simulate.candidate`."""
    share, mean = sim.disagreement(effect), sim.daily_mean(effect, rows.shock)
    won = rng.binomial(rows.n - rows.right, (share + mean) / 2 / (1 - sim.ACCURACY))
    return won, rng.binomial(rows.right, (share - mean) / 2 / sim.ACCURACY)


def _rows(rows: Counts, won: np.ndarray, lost: np.ndarray) -> sim.Scored:
    """Rows sorted by slice: of each slice and day kept right, lost, won, kept wrong."""
    counts = np.stack([rows.right - lost, lost, won, rows.n - rows.right - won], axis=2).transpose(1, 0, 2)
    where, day, kind = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    champion, candidate = np.array([1.0, 1, 0, 0])[kind], np.array([1.0, 0, 1, 0])[kind]
    return sim.Scored(where, day, np.ones(len(kind)), candidate, champion)


def _span(plan: Plan, cycle: int) -> dict[str, str]:
    end = START + timedelta(weeks=cycle * plan.every)
    return {"start": (end - timedelta(weeks=plan.weeks)).isoformat(), "end": end.isoformat()}


def history(plan: Plan, cycle: int) -> tuple[PastDecision, ...]:
    """All earlier cycles, as the evaluate task would freeze them; without verdicts' records the rule is replayed."""
    spans = [_span(plan, earlier) for earlier in range(cycle)]
    shared = [max(1 - (cycle - k) * plan.every / plan.weeks, 0.0) for k in range(cycle)]
    return tuple(PastDecision("v0", span["end"], span, part) for span, part in zip(spans, shared, strict=True))


def _promoted(
    rng: np.random.Generator, counts: Counts, effect: np.ndarray, plan: Plan, cycle: int
) -> dict[float | None, bool]:
    won, lost = _flips(rng, counts, effect)
    if _hopeless(counts.n, won - lost, won + lost):
        return dict.fromkeys(GATES_BY_BUDGET, False)
    rows = _rows(counts, won, lost)
    past, uses = history(plan, cycle), min(cycle, -(-plan.weeks // plan.every) - 1)
    whole = sim.evidence(rows, 0, uses=uses, history=past, span=_span(plan, cycle))
    passed = {b: _says_promote(gate, whole, b) for b, gate in GATES_BY_BUDGET.items()}
    if any(passed.values()):  # the slices can only turn a promotion down: measured only if overall would promote
        full = sim.evidence(rows, SLICES, uses=uses, history=past, span=_span(plan, cycle))
        passed = {b: ok and _says_promote(GATES_BY_BUDGET[b], full, b) for b, ok in passed.items()}
    return passed


def _says_promote(gate, evidence, budget: float | None) -> bool:
    found = evidence if budget is not None else replace(evidence, history=None)
    return gate.judge(found, sim.TERMS["accuracy"]).answer is Answer.PROMOTE


def _hopeless(n: np.ndarray, gain: np.ndarray, differ: np.ndarray) -> bool:
    """Fewer than 1.6 of the standard error, the larger of that by rows and that by days, as the metric takes it: no
    level up to 5% lets it through."""
    total, mean = n.sum(), gain.sum() / n.sum()
    by_rows = (differ.sum() / total - mean**2) / total
    by_days = np.sum((gain.sum(axis=1) - mean * n.sum(axis=1)) ** 2) / total**2
    return float(mean) <= 1.6 * float(np.sqrt(max(by_rows, by_days)))


@dataclass(frozen=True)
class Row:
    """One question in one world: the share under every budget; goal: of yearly_alpha 5%, as in `Line`."""

    question: str
    world: str
    found: dict[float | None, Line]
    goal: float | None
    note: str = ""

    def cells(self) -> list[str]:
        shown = [f"{percent(x.value)} ({percent(x.low)} to {percent(x.high)})" for x in self.found.values()]
        line = next(iter(self.found.values()))
        goal = "" if self.goal is None else f"{'≥' if self.goal > 0 else '≤'} {percent(abs(self.goal))}"
        met = "" if self.goal is None else self.found[0.05].met
        return [self.question, self.world, f"{line.runs:,}", *shown, goal, met, self.note]


def _row(question: str, world: str, hits: dict[float | None, list[bool]], goal: float | None, note: str = "") -> Row:
    return Row(question, world, {b: share(question, world, found, goal) for b, found in hits.items()}, goal, note)


def year(rng: np.random.Generator, years: int) -> list[Row]:
    """Share of years with a bad promotion: truly worse than the margin, overall or in a slice."""
    out = []
    for world, clustered in WORLDS.items():
        for plan in (FRESH, ROLLING):
            bad, count = _years(rng, plan, clustered, years, not_better)
            note = f"promotions a year, bad or not: {count[None]:.2f} without, {count[0.05]:.3f} with 5%"
            out.append(_row(f"none better, {plan.text}", world, bad, -0.05, note))
        bad, _ = _years(rng, FRESH, clustered, max(years // 100, 1), half_broken)
        note = "no budget covers these: only the slice veto does"
        out.append(_row(f"1 point better but for one broken slice, {FRESH.text}", world, bad, None, note))
    return out


Shares = dict[float | None, list[bool]]


def _years(
    rng: np.random.Generator, plan: Plan, clustered: bool, years: int, effect: Callable
) -> tuple[Shares, dict[float | None, float]]:
    bad: Shares = {budget: [] for budget in GATES_BY_BUDGET}
    count = dict.fromkeys(GATES_BY_BUDGET, 0.0)
    for _ in range(years):
        promoted = list(decisions(rng, plan, clustered, 0, 52 // plan.every, effect))
        for budget in GATES_BY_BUDGET:
            bad[budget].append(any(ok[budget] and worst < -0.0201 for worst, ok in promoted))
            count[budget] += sum(ok[budget] for _, ok in promoted) / years
    return bad, count


#: Cycles before the first one with a better candidate: none (after a pause, the bucket is full), or a whole year.
PAUSES = {"after a pause": 0, "after a year of candidates": 52}


def power(rng: np.random.Generator, runs: int) -> list[Row]:
    """Share of truly better candidates promoted within four cycles."""
    out = []
    for world, clustered in WORLDS.items():
        for plan in (FRESH, ROLLING, RICH, MONTHLY):
            for when, before in PAUSES.items():
                wins = [_won(rng, plan, clustered, before // plan.every) for _ in range(runs)]
                hits = {budget: [won[budget] for won in wins] for budget in GATES_BY_BUDGET}
                out.append(_row(f"{plan.text}, {when}", world, hits, 0.80))
    return out


def _won(rng: np.random.Generator, plan: Plan, clustered: bool, first: int) -> dict[float | None, bool]:
    won = dict.fromkeys(GATES_BY_BUDGET, False)
    for _, ok in decisions(rng, plan, clustered, first, first + 4, better):
        won = {budget: won[budget] or ok[budget] for budget in won}
        if all(won.values()):
            break
    return won


def markdown(rows: list[Row]) -> str:
    """A table with a column for every budget."""
    budgets = ["none, as before" if b is None else f"`yearly_alpha` {b:.0%}" for b in GATES_BY_BUDGET]
    head = ["candidates", "rows", "runs", *budgets, "goal at 5%", "met", "note"]
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def document(bad: str, wins: str, asked: str) -> str:
    """The committed page."""
    return f"""# The yearly budget of wrong promotions: what it keeps, what it costs

`python benchmarks/promotion_budget.py {asked}` wrote this page. Simulation as on
[operating characteristics](operating_characteristics.md): the real gate on the real accuracy, {SLICES} slices, margin 2
points; day-clustered: rows of a day move together (2 points). Shares with exact 95% intervals. Rule:
[ADR 0010](../adr/0010-promotion-budget.md).

## A bad promotion within a year of 52 candidates
Bad = truly more than 2 points worse, overall or in a slice. "None better": equal, 1 or 3 points worse everywhere, or 3,
5 or 10 points worse in one slice with the others up so that overall is 0; one of six, equally likely. The budget holds
for any mix, so a mix with many candidates that are far worse stays well below it.

{bad}

## A candidate that is truly 1 point better everywhere: promoted within four cycles
"After a pause": nothing was judged for four months or never; "after a year": every cycle of the year before had a
candidate. Where 5% misses 80%, read on to the right: that is the frontier. What helps is more days in the window, a
slower cadence, or a larger `yearly_alpha`. The number of runs stands in every row; the intervals say what it is worth.

{wins}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="simulated years")
    parser.add_argument("--power-runs", type=int, default=200, help="runs of four cycles")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", choices=["year", "power"], help="print this part and write nothing")
    arguments = parser.parse_args()
    parts = {}
    if arguments.part in (None, "year"):
        parts["year"] = markdown(year(np.random.default_rng([arguments.seed, 10]), arguments.runs))
    if arguments.part in (None, "power"):
        parts["power"] = markdown(power(np.random.default_rng([arguments.seed, 11]), arguments.power_runs))
    if arguments.part:
        Console(width=400).print(parts[arguments.part], markup=False)
        return
    asked = f"--runs {arguments.runs} --power-runs {arguments.power_runs} --seed {arguments.seed}"
    text = document(parts["year"], parts["power"], asked)
    (RESULTS / "promotion_budget.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
