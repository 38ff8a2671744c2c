"""A year of candidates against the yearly budget, and what the budget costs in power: the frontier.

    nice -n 19 python benchmarks/promotion_budget.py --runs 2000 --seed 0

Writes docs/results/promotion_budget.md. Stopped, it goes on where it was (`pieces.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pieces
import simulate as sim
from promotion_report import Row, result, write
from simulate_counts import comparison

from continual.core.verdict import Answer, PastDecision
from continual.gates.base import GATES

SLICES, LABELS, WEEK = 20, 1000, 7
WORLDS = {"independent": False, "day-clustered": True}
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

    Rows of one day and slice are exchangeable, so that counts have the law of `simulate.window`, and they are all that
    `simulate_counts.comparison` reads.
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


def _span(plan: Plan, cycle: int) -> dict[str, str]:
    end = START + timedelta(weeks=cycle * plan.every)
    return {"start": (end - timedelta(weeks=plan.weeks)).isoformat(), "end": end.isoformat()}


@lru_cache(maxsize=256)
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
    asked = min(cycle, -(-plan.weeks // plan.every) - 1), history(plan, cycle), _span(plan, cycle)
    overall = [comparison(counts.n.sum(axis=1), won.sum(axis=1), lost.sum(axis=1))]
    whole = sim.evidence_of(overall, "accuracy", *asked)
    passed = {b: _says_promote(gate, whole, b) for b, gate in GATES_BY_BUDGET.items()}
    if any(passed.values()):  # the slices can only turn a promotion down: measured only if overall would promote
        slices = [comparison(counts.n[:, k], won[:, k], lost[:, k]) for k in range(SLICES)]
        full = sim.evidence_of([*overall, *slices], "accuracy", *asked)
        loosest = max((b for b, ok in passed.items() if ok), key=lambda b: b or 1.0)  # no budget rules the slices
        if not _says_promote(GATES_BY_BUDGET[loosest], full, loosest):
            passed = dict.fromkeys(GATES_BY_BUDGET, False)
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


#: A decision of a year: whether its candidate is bad, and whether each budget promotes it.
Decision = tuple[bool, list[bool]]
ROOTS = ("promotion_budget", "continual.gates.graded")


def years(found: pieces.Pieces) -> list[Row]:
    """Share of years with a bad promotion: truly worse than the margin, overall or in a slice."""
    out = []
    for world, clustered in WORLDS.items():
        for plan in (FRESH, ROLLING):
            name = f"none better, {plan.text}"
            told = found.run(f"{name}, {world}", _year_of(plan, clustered, not_better))
            note = (
                f"promotions a year, bad or not: {_promotions(told, 0):.2f} without, {_promotions(told, 1):.3f} with 5%"
            )
            out.append(result(name, world, _bad(told), -0.05, note))
        name = f"1 point better but for one broken slice, {FRESH.text}"
        told = found.run(f"{name}, {world}", _year_of(FRESH, clustered, half_broken), found.runs // 4)
        out.append(result(name, world, _bad(told), None, "no budget covers these: only the slice veto does"))
    return out


def _year_of(plan: Plan, clustered: bool, effect: Callable) -> pieces.Work:
    def work(rng: np.random.Generator, n: int) -> list[list[Decision]]:
        return [_year(rng, plan, clustered, effect) for _ in range(n)]

    return work


def _year(rng: np.random.Generator, plan: Plan, clustered: bool, effect: Callable) -> list[Decision]:
    """The decisions that promote under some budget."""
    told = decisions(rng, plan, clustered, 0, 52 // plan.every, effect)
    return [(worst < -0.0201, list(ok.values())) for worst, ok in told if any(ok.values())]


def _bad(told: list[list[Decision]]) -> dict[float | None, list[bool]]:
    return {b: [any(bad and ok[i] for bad, ok in year) for year in told] for i, b in enumerate(GATES_BY_BUDGET)}


def _promotions(told: list[list[Decision]], budget: int) -> float:
    return sum(ok[budget] for year in told for _, ok in year) / max(len(told), 1)


#: Cycles before the first one with a better candidate: none (after a pause, the bucket is full), or a whole year.
PAUSES = {"after a pause": 0, "after a year of candidates": 52}


def power(found: pieces.Pieces) -> list[Row]:
    """Share of truly better candidates promoted within four cycles."""
    out = []
    for world, clustered in WORLDS.items():
        for plan in (FRESH, ROLLING, RICH, MONTHLY):
            for when, before in PAUSES.items():
                name = f"{plan.text}, {when}"
                wins = found.run(f"{name}, {world}", _cycles_of(plan, clustered, before // plan.every))
                hits = {budget: [won[i] for won in wins] for i, budget in enumerate(GATES_BY_BUDGET)}
                out.append(result(name, world, hits, 0.80))
    return out


def _cycles_of(plan: Plan, clustered: bool, first: int) -> pieces.Work:
    def work(rng: np.random.Generator, n: int) -> list[list[bool]]:
        return [_won(rng, plan, clustered, first) for _ in range(n)]

    return work


def _won(rng: np.random.Generator, plan: Plan, clustered: bool, first: int) -> list[bool]:
    won = [False] * len(GATES_BY_BUDGET)
    for _, ok in decisions(rng, plan, clustered, first, first + 4, better):
        won = [before or now for before, now in zip(won, ok.values(), strict=True)]
        if all(won):
            break
    return won


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    pieces.add_options(parser)  # a year without a goal: a quarter of the runs
    arguments = parser.parse_args()
    with pieces.Pieces(ROOTS, arguments) as found:
        wins, bad = power(found), years(found)
    write(bad, wins, list(GATES_BY_BUDGET), f"--runs {arguments.runs} --seed {arguments.seed}")


if __name__ == "__main__":
    main()
