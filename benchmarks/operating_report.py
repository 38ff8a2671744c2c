"""Lines with 95% intervals, and how they become a page, a terminal table and two plots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import simulate as sim
from rich.table import Table
from scipy.stats import beta, binom

mpl.use("Agg")
from matplotlib import pyplot as plt

RESULTS = Path(__file__).parents[1] / "docs" / "results"
HEAD = ["question", "rows", "runs", "goal", "measured (95% interval)", "met", "why, or what it consists of"]


@dataclass(frozen=True)
class Line:
    """A row of the report; `value`, `low`, `high` in the unit of `goal` (share, or days); goal > 0: at least,
    goal < 0: at most, None: no goal was set."""

    question: str
    world: str
    runs: int
    value: float
    low: float
    high: float
    goal: float | None = None
    unit: str = "share"
    why: str = ""

    @property
    def met(self) -> str:
        """By the point estimate; `within error` where the interval holds the goal."""
        if not self.runs:
            return "not run"
        if self.goal is None:
            return "no goal"
        sign = 1 if self.goal > 0 else -1
        found = "yes" if sign * (self.value - abs(self.goal)) >= 0 else "no"
        return found + (", within error" if self.low < abs(self.goal) < self.high else "")

    def cells(self) -> list[str]:
        show = percent if self.unit == "share" else days_text
        bound = "" if self.goal is None else f"{'≥' if self.goal > 0 else '≤'} {show(abs(self.goal))}"
        measured = f"{show(self.value)} ({show(self.low)} to {show(self.high)})"
        told = self.goal is None or self.unit == "days" or self.met.startswith("no")
        return [self.question, self.world, f"{self.runs:,}", bound, measured, self.met, self.why if told else ""]


def percent(share: float) -> str:
    return f"{share:.1%}"


def days_text(days: float) -> str:
    return "not found" if math.isinf(days) else f"{days:g} d"


def share(question: str, world: str, hits: list[bool], goal: float | None = None, why: str = "") -> Line:
    """A share with its exact 95% binomial interval (Clopper-Pearson)."""
    n, k = len(hits), int(sum(hits))
    if not n:
        return Line(question, world, 0, math.nan, math.nan, math.nan, goal, why=why)
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return Line(question, world, n, k / n, float(low), float(high), goal, why=why)


def median(question: str, world: str, days: list[float], goal: float | None = None, why: str = "") -> Line:
    """A median with its 95% binomial interval between order statistics."""
    ordered, n = sorted(days), len(days)
    if not n:
        return Line(question, world, 0, math.nan, math.nan, math.nan, goal, "days", why)
    rank = max(int(binom.ppf(0.025, n, 0.5)), 1)  # 1-based; its mirror image is the upper bound
    low, high = ordered[rank - 1], ordered[n - rank]
    return Line(question, world, n, ordered[(n - 1) // 2], low, high, goal, "days", why)


def table(lines: list[Line]) -> Table:
    """For the terminal."""
    found = Table(*HEAD)
    for line in lines:
        found.add_row(*line.cells())
    return found


def write(lines: list[Line], asked: str) -> None:
    """The committed page."""
    missed = [line for line in lines if line.goal is not None and line.met.startswith("no")]
    goals, lost = sum(line.goal is not None for line in lines), len(missed)
    rows = "\n".join(f"| {' | '.join(line.cells())} |" for line in lines)
    few = [line for line in lines if line.goal is not None and line.runs < 1990]
    said = f"; **{len(few)} rows with a goal have fewer than 2,000**" if few else ""
    text = f"""# Operating characteristics of the default gate and monitor

`python benchmarks/operating_characteristics.py {asked}`
wrote this page. The number of runs stands in every row{said}; the intervals say what that is worth.

**{goals - lost} of {goals} goals are met, {lost} are missed**; a missed goal is said in its row, with the reason.
Promotions over a year, bad and good, have a page of their own: [the yearly budget](promotion_budget.md).

**Where goals conflict.** False rollbacks of at most 5% a year, and alarms within 5 days at 3 points and 9 at 2, cannot
be had together everywhere. From 2,000 independent labels a day both are met. From 200 a day the best bet of all needs
longer than the goal (last column), whether versions differ on 3% or 8% of the rows without a fault; in one slice the
level is a twentieth of that. Where days move together by 2 points the best bet that knows by how much needs longer,
too. The rows `alpha ...` are the frontier: ten times the budget, 50% instead of 5%, saves one to five days.

**Shocks that last for days** are the other conflict. With `monitor.lasting_shocks: false` each day counts by itself:
alarms on all rows come earlier, and false rollbacks in most years where shocks last. The default learns for how long
they last; a few weeks cannot show that they do not, so that alarms come later where days do not last as well. Slices
are then read beside the other rows of the day, which gains where a shock moves all slices together.

| {" | ".join(HEAD)} |
{"|---" * len(HEAD)}|
{rows}

![Share of planted regressions that the slice veto names](veto_power.png)

![Days to the alarm, fault on all rows from day 60](detection_delay.png)

{_method()}"""
    (RESULTS / "operating_characteristics.md").write_text(text, encoding="utf-8")


def _method() -> str:
    """How the numbers were made, for readers who doubt them."""
    gate, monitor = sim.GATE.model_dump(), sim.MONITOR.model_dump()
    return f"""## How it is simulated

- The gate is `Graded`, the monitor `EDetector`, both with their defaults, on comparisons made by the real metrics.
  Gate: {_settings(gate)}. Monitor: {_settings(monitor)}.
- Accuracy: the models disagree on {sim.DISAGREE:.0%} of the rows (a fault of more than 4 points: its size + 4 points),
  the champion is right on {sim.ACCURACY:.0%}. Margin {100 * sim.MARGIN["accuracy"]:g} points; no floors, no
  guardrails, all slices `standard`.
- **Day-clustered**: each day moves the difference by a shock with a standard deviation of
  {100 * sim.SHOCK:g} points (correlation of rows within a day .005), half of its variance shared by all slices.
  Brier: each model has a bias of the day instead. **Shocks last**: the same shocks, an AR(1) from day to day with that
  autocorrelation; .5 triples, .8 multiplies by nine what they add to the variance of a long mean.
- Equal candidates and planted regressions: windows of 28 days. The candidate with a planted regression is 1 point
  better in the other 19 slices; only a veto that names the slice counts, not a rejection for another reason.
- Detection and years: from daily counts (`simulate_monitor.py`), held against the real monitor by a test. Before the
  deployment lie the 28 days of the gate's window, on which both versions are equal: from them the monitor learns how
  much days vary. The delay counts days of matured labels, the first faulty day is 1; the label delay comes on top. A
  fault on all rows is read on the stream of all rows alone, one in a slice on that slice's; the other streams only take
  their share of alpha, and four slices say how days move together, instead of 20. The goals
  for 2 and 3 points at 200 labels a day are applied alike to all rows and to one slice, and to 2,000 labels a day.
- "Versions differ on 3%": without a fault on 4%, room for the shocks, and a fault's rows on top. "Without the
  protection of days" is the same detector with `trivial`, `day_correlation` 0, `min_days` 1 and `lasting_shocks` off,
  on 200 runs of its own: fast, but not valid when rows of a day move together. "Best possible bet": log threshold / log
  growth per day; where days are clustered, of a Gaussian bet that knows their variance.
- Not simulated: seasons, labels whose delay depends on the outcome, AUC, critical tiers, unequal slice sizes.
- Intervals: Clopper-Pearson for shares, order statistics for medians. `met` goes by the estimate; `within error`: the
  interval holds the goal, so these runs do not settle it.
"""


def _settings(fields: dict) -> str:
    return ", ".join(f"`{name}` {value}" for name, value in fields.items() if name != "kind")


def veto_plot(sizes: list[float], curves: dict[str, list[float]]) -> None:
    """Power of the slice veto by size of the regression."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, power in curves.items():
        style = "--" if "clustered" in name else "-"
        color = "tab:blue" if "1,000" in name else "tab:orange"
        axes.plot([100 * s for s in sizes], [100 * p for p in power], style, color=color, marker="o", label=name)
    axes.axhline(95, color="grey", lw=0.8, ls=":")
    axes.set(xlabel="planted regression in one slice, points", ylabel="vetoed, slice named, %", ylim=(0, 102))
    axes.set_title("Gate: 20 slices, the other 19 are 1 point better")
    axes.legend()
    figure.savefig(RESULTS / "veto_power.png", dpi=120)
    plt.close(figure)


def delay_plot(curves: dict[str, list[float]]) -> None:
    """Distribution of the days to the alarm."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    colors = {"2": "tab:blue", "3": "tab:orange", "5": "tab:green"}
    for name, days in curves.items():
        style = "--" if "clustered" in name else "-"
        found = [np.mean(np.array(days) <= day) * 100 for day in range(31)]
        axes.step(range(31), found, style, where="post", color=colors[name[0]], label=name)
    axes.axhline(50, color="grey", lw=0.8, ls=":")
    axes.set(xlabel="days of labels since the fault", ylabel="alarmed, %", ylim=(0, 102), xlim=(0, 30))
    axes.set_title("Monitor: fault on all rows, 2,000 a day, from day 60")
    axes.legend()
    figure.savefig(RESULTS / "detection_delay.png", dpi=120)
    plt.close(figure)
