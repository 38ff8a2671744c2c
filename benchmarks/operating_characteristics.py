"""How often the default gate and monitor are wrong, and how fast they are right: simulated on their public classes.

    python benchmarks/operating_characteristics.py --runs 2000 --seed 0 [--only equal veto ...]

Writes docs/results/operating_characteristics.md and two plots beside it. `--only` prints, and writes nothing.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simulate as sim
import simulate_monitor as many
from operating_report import Line, days_text, delay_plot, document, median, share, table, veto_plot
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from continual.core.verdict import OVERALL, SliceClass
from continual.monitors.e_detector import EDetector

Floats = sim.Floats
SLICES, LABELS, DAYS, YEAR = 20, 1000, 28, 365
RESULTS = Path(__file__).parents[1] / "docs" / "results"
#: Deployments drawn at once; budgets of the frontier.
CHUNK, ALPHAS = 100, (0.01, 0.05, 0.2, 0.5)
WORLDS = {"independent": False, "day-clustered": True}
SIZES = [0.02, 0.03, 0.04, 0.05, 0.07, 0.10]


class Run:
    """Number of runs, seeds and progress of one experiment."""

    def __init__(self, runs: int, seed: int, number: int, tick: Callable[[int], None]) -> None:
        self.runs = runs
        self.rng, self.tick = np.random.default_rng([seed, number]), tick
        self.plots: dict[str, list[float]] = {}


def equal(run: Run) -> list[Line]:
    """1: equal candidates, share vetoed by any slice."""
    out = []
    for world, clustered in WORLDS.items():
        for kind in ("accuracy", "brier"):
            hits = []
            for _ in range(run.runs):
                hits.append(bool(_harmed(sim.judge(_equal(run, kind, clustered), SLICES, kind))))
                run.tick(1)
            text = f"Equal candidate ({kind}), {SLICES} slices x {LABELS:,} labels: rejected by the slice veto"
            out.append(share(text, world, hits, -0.10))
    return out


def _equal(run: Run, kind: str, clustered: bool) -> sim.Scored:
    sizes = [LABELS] * SLICES
    if kind == "brier":
        return sim.equal_probabilities(run.rng, sizes, DAYS, clustered)
    return sim.candidate(run.rng, sim.window(run.rng, sizes, DAYS, clustered), np.zeros(SLICES))


def _harmed(verdict: sim.Verdict) -> set[str]:
    return {f.slice for f in verdict.findings if f.slice_class is SliceClass.HARM} - {OVERALL}


def veto(run: Run) -> list[Line]:
    """3: one broken slice under a candidate that is better elsewhere; and the curve of the first plot."""
    out = []
    for world, clustered in WORLDS.items():
        for n in (300, 1000):
            key, curve = f"n = {n:,}, {world}", []
            for size in SIZES:
                goal = 0.95 if size == 0.10 else 0.90 if (size, n) == (0.05, 1000) else None
                hits = _blocked(run, size, n, clustered, run.runs if goal else run.runs // 4)
                curve.append(float(np.mean(hits)))
                if goal:
                    text = f"{100 * size:.0f}-point regression in one slice with {n:,} labels: vetoed, slice named"
                    why = "Holm over 20 slices asks for p ≤ .005."
                    out.append(share(text, world, hits, goal, why))
            run.plots[key] = curve
    return out


def _blocked(run: Run, size: float, n: int, clustered: bool, runs: int) -> list[bool]:
    sizes, effect = [n, *[LABELS] * (SLICES - 1)], np.array([-size, *[0.01] * (SLICES - 1)])
    hits = []
    for _ in range(runs):
        rows = sim.candidate(run.rng, sim.window(run.rng, sizes, DAYS, clustered), effect)
        hits.append("s0" in _harmed(sim.judge(rows, SLICES)))
        run.tick(1)
    return hits


def quiet(run: Run) -> list[Line]:
    """4: equal champions for a year, overall and every slice."""
    return [_quiet_year(run, world, sim.MONITOR, run.runs, -0.05) for world in WORLDS]


def _quiet_year(run: Run, world: str, monitor: EDetector, runs: int, goal: float | None = None) -> Line:
    hits: list[bool] = []
    limits = many.thresholds(monitor, SLICES)
    for part in _parts(runs):
        found = many.draw(run.rng, part, YEAR, 2000 // SLICES, np.zeros(SLICES), WORLDS[world])
        whole, slices = many.alarms(found.whole(), monitor, limits[0]), many.alarms(found, monitor, limits[1])
        hits += list(np.isfinite(np.concatenate([whole, slices], axis=1)).any(axis=1))
        run.tick(part)
    text = f"Equal champions, overall (2,000 rows a day) + {SLICES} slices, a year of daily looks: a false rollback"
    return share(text if goal else f"alpha {monitor.alpha:g}: a false rollback within a year", world, hits, goal)


def _parts(runs: int) -> list[int]:
    """Sizes of the pieces that fit into memory."""
    return [min(CHUNK, runs - done) for done in range(0, runs, CHUNK)]


def frontier(run: Run) -> list[Line]:
    """6: what a faster alarm costs in false ones, where days move together; the budget `alpha` is the only change."""
    out = []
    for alpha in ALPHAS:
        monitor = sim.MONITOR.model_copy(update={"alpha": alpha})
        out.append(_quiet_year(run, "day-clustered", monitor, run.runs // 4))
        for where, n, size in ((OVERALL, 2000, 0.02), (OVERALL, 2000, 0.03), ("s0", 200, 0.03)):
            days = _delays(run, monitor, (where, n, size, 60, True), run.runs // 4)
            place = "on all rows" if where == OVERALL else "in one slice"
            text = f"alpha {alpha:g}: {100 * size:.0f} points {place}, {n:,} labels a day, from day 60: median days"
            out.append(median(text, "day-clustered", list(days[days >= 1])))
    return out


#: Where, rows a day, points, goal in days.
FAULTS = [
    *((OVERALL, 2000, size, goal) for size, goal in ((0.02, -9), (0.03, -5), (0.05, None))),
    *(("s0", 200, size, goal) for size, goal in ((0.02, -9), (0.03, -5), (0.05, None))),
    ("s0", 40, 0.20, None),
]


def detect(run: Run) -> list[Line]:
    """6: days of data from the first faulty day to the alarm, and the curves of the second plot."""
    out = []
    for where, n, size, goal in FAULTS:
        for since in (0, 60):
            for world, clustered in WORLDS.items():
                fault = (where, n, size, since, clustered)
                both = [_delays(run, monitor, fault, run.runs) for monitor in (sim.MONITOR, sim.PLAIN)]
                early, fair = int((both[0] < 1).sum()), both[0] >= 1
                days, plain = both[0][fair], both[1]
                place = "on all rows" if where == OVERALL else "in one slice"
                text = f"{100 * size:.0f} points {place}, {n:,} labels a day, fault from day {since}: median days"
                out.append(
                    median(text, world, list(days), goal, _why((where, n, size, clustered), goal, days, plain, early))
                )
                if where == OVERALL and since == 60:
                    run.plots[f"{100 * size:.0f} points, {world}"] = list(days)
    return out


def _delays(run: Run, monitor: EDetector, fault: tuple[str, int, float, int, bool], runs: int) -> Floats:
    """Days to the alarm; below 1: it alarmed before the fault."""
    where, n, size, since, clustered = fault
    groups = SLICES if where == OVERALL else 1  # a day's rows of all slices carry their own shocks too
    out, limit = [], many.thresholds(monitor, SLICES)[0 if where == OVERALL else 1]
    for part in _parts(runs):
        found = many.draw(run.rng, part, since + 100, n // groups, np.full(groups, size), clustered, since)
        out.append(many.alarms(found.whole(), monitor, limit)[:, 0] - since + 1)
        run.tick(part)
    return np.concatenate(out)


def _why(fault: tuple[str, int, float, bool], goal: float | None, days: Floats, plain: Floats, early: int) -> str:
    """What the wait consists of; `ideal`: log threshold over the growth of the best fixed bet on independent rows."""
    where, n, size, clustered = fault
    streams = [sim.stream(name, []) for name in (OVERALL, *(f"s{k}" for k in range(SLICES)))]
    differ = float(sim.disagreement(np.array([size]))[0])
    up, edge = (1 + size / differ) / 2, size / differ
    growth = n * differ * (up * math.log1p(edge) + (1 - up) * math.log1p(-edge))
    needed = math.log(sim.MONITOR.thresholds(streams)[where])
    ideal = math.ceil(needed / growth)
    usual = sorted(wait for wait in plain if wait >= 1)
    text = f"Best possible bet on independent rows about {ideal} d"
    if clustered:  # a Gaussian bet on day means whose variance is known
        common = sim.SHOCK**2 / 2 * (1 + 1 / SLICES) if where == OVERALL else sim.SHOCK**2
        ideal = math.ceil(2 * needed * (differ / n + common) / size**2)
        text = f"Best possible bet that knows how much days vary about {ideal} d"
    if goal and ideal > abs(goal):
        text += ", so the goal is out of reach at this alpha"
    elif goal and float(np.median(days)) > abs(goal):
        cause = "the day shocks and the protection against them" if clustered else "the price of day protection"
        text += f", so the miss is {cause}"
    wrong = 1 - len(usual) / len(plain)
    if wrong == 1:
        text += "; without the protection of days every run alarms before the fault"
    else:
        text += f"; without the protection of days {days_text(usual[(len(usual) - 1) // 2])}"
        text += f", but {wrong:.0%} of the runs alarm before the fault" if wrong else ""
    return text + (f". {early} runs of the default alarmed before the fault and are left out." if early else ".")


EXPERIMENTS = {"equal": equal, "veto": veto, "quiet": quiet, "detect": detect, "frontier": frontier}
#: Part of the seed. 1 and 3 were the year of candidates and the better candidate: now in promotion_budget.py.
NUMBER = {"equal": 0, "veto": 2, "quiet": 4, "detect": 5, "frontier": 6}


def steps(name: str, runs: int) -> int:
    """Ticks of an experiment, for the progress bar."""
    curves = 6 * runs + 9 * (runs // 4) * 2
    ticks = {"equal": 4 * runs, "veto": curves, "quiet": 2 * runs, "detect": 8 * len(FAULTS) * runs}
    return {**ticks, "frontier": 4 * len(ALPHAS) * (runs // 4)}[name]


def run_all(names: list[str], runs: int, seed: int, console: Console) -> tuple[list[Line], dict[str, dict]]:
    """The lines of all experiments in order, and the curves by experiment."""
    lines: list[Line] = []
    plots = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        tasks = {name: progress.add_task(name, total=steps(name, runs)) for name in names}
        for name, task in tasks.items():
            run = Run(runs, seed, NUMBER[name], lambda n, task=task: progress.advance(task, n))
            lines += EXPERIMENTS[name](run)
            plots[name] = run.plots
    return lines, plots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=int, default=2000, help="decisions, years or faults per row; curves and frontier: a quarter"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(EXPERIMENTS), help="print these and write nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    console, start = Console(), time.perf_counter()
    names = arguments.only or list(EXPERIMENTS)
    lines, plots = run_all(names, arguments.runs, arguments.seed, console)
    console.print(table(lines))
    if arguments.only:
        return
    minutes = (time.perf_counter() - start) / 60
    arguments.out.mkdir(parents=True, exist_ok=True)
    veto_plot(arguments.out / "veto_power.png", SIZES, plots["veto"])
    delay_plot(arguments.out / "detection_delay.png", plots["detect"])
    text = document(lines, arguments.runs, arguments.seed, minutes)
    (arguments.out / "operating_characteristics.md").write_text(text, encoding="utf-8")
    console.print("wrote operating_characteristics.md, veto_power.png, detection_delay.png")


if __name__ == "__main__":
    main()
