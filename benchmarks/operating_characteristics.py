"""How often the default gate and monitor are wrong, and how fast they are right: simulated on their public classes.

    nice -n 19 python benchmarks/operating_characteristics.py --runs 2000 --delays 500 --few 500

Writes docs/results/operating_characteristics.md and two plots beside it. Stopped, it goes on where it
was (`pieces.py`).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pieces
import simulate as sim
import simulate_monitor as many
from operating_report import Line, days_text, delay_plot, median, share, table, veto_plot, write
from rich.console import Console

from continual.core.verdict import OVERALL, SliceClass
from continual.monitors.e_detector import EDetector

Floats = sim.Floats
SLICES, LABELS, DAYS, YEAR = 20, 1000, 28, 365
#: Beside the default.
ALPHAS = (0.01, 0.2, 0.5)
WORLDS = {"independent": False, "day-clustered": True}
#: Of the monitor: days that share a shock, and shocks that last, by their autocorrelation from day to day.
LASTING = {f"shocks last (.{tenths})": tenths / 10 for tenths in (2, 5, 8)}
YEARS = {
    **{name: many.World(clustered) for name, clustered in WORLDS.items()},
    **{name: many.World(True, lasting=share) for name, share in LASTING.items()},
}
#: What is written before a row's question -> the monitor.
SETTINGS = {"": sim.MONITOR, "`lasting_shocks: false`: ": many.BY_DAY}
#: Slices that lend the monitor what they know of the days beside the watched one; a deployment has 20.
LENDING = 4
SIZES = [0.02, 0.03, 0.04, 0.05, 0.07, 0.10]
GATE_ROOTS = (
    "operating_characteristics",
    "simulate",
    "continual.gates.graded",
    "continual.metrics.accuracy",
    "continual.metrics.brier",
)
MONITOR_ROOTS = ("operating_characteristics", "simulate", "simulate_monitor", "continual.monitors.e_detector")


def equal(found: pieces.Pieces) -> list[Line]:
    """Equal candidates, share vetoed by any slice."""
    out = []
    for world, clustered in WORLDS.items():
        for kind in ("accuracy", "brier"):
            text = f"Equal candidate ({kind}), {SLICES} slices x {LABELS:,} labels: rejected by the slice veto"
            hits = found.run(f"{text}, {world}", partial(_vetoed, kind, clustered))
            out.append(share(text, world, hits, -0.10))
    return out


def _vetoed(kind: str, clustered: bool, rng: np.random.Generator, n: int) -> list[bool]:
    return [bool(_harmed(sim.judge(_equal(rng, kind, clustered), SLICES, kind))) for _ in range(n)]


def _equal(rng: np.random.Generator, kind: str, clustered: bool) -> sim.Scored:
    sizes = [LABELS] * SLICES
    if kind == "brier":
        return sim.equal_probabilities(rng, sizes, DAYS, clustered)
    return sim.candidate(rng, sim.window(rng, sizes, DAYS, clustered), np.zeros(SLICES))


def _harmed(verdict: sim.Verdict) -> set[str]:
    return {f.slice for f in verdict.findings if f.slice_class is SliceClass.HARM} - {OVERALL}


def veto(found: pieces.Pieces) -> tuple[list[Line], dict[str, list[float]]]:
    """One broken slice under a candidate that is better elsewhere; and the curves of the first plot."""
    out, curves = [], {}
    for world, clustered in WORLDS.items():
        for n in (300, 1000):
            curve = curves[f"n = {n:,}, {world}"] = []
            for size in SIZES:
                goal = 0.95 if size == 0.10 else 0.90 if (size, n) == (0.05, 1000) else None
                text = f"{100 * size:.0f}-point regression in one slice with {n:,} labels: vetoed, slice named"
                runs = found.runs if goal else found.runs // 4
                hits = found.run(f"{text}, {world}", partial(_blocked, size, n, clustered), runs)
                curve.append(float(np.mean(hits)) if hits else math.nan)
                if goal:
                    out.append(share(text, world, hits, goal, "Holm over 20 slices asks for p ≤ .005."))
    return out, curves


def _blocked(size: float, n: int, clustered: bool, rng: np.random.Generator, runs: int) -> list[bool]:
    sizes, effect, hits = [n, *[LABELS] * (SLICES - 1)], np.array([-size, *[0.01] * (SLICES - 1)]), []
    for _ in range(runs):
        rows = sim.candidate(rng, sim.window(rng, sizes, DAYS, clustered), effect)
        hits.append("s0" in _harmed(sim.judge(rows, SLICES)))
    return hits


def quiet(found: pieces.Pieces, few: int) -> list[Line]:
    """Equal champions for a year, overall and every slice."""
    text = f"Equal champions, overall (2,000 rows a day) + {SLICES} slices, a year of daily looks: a false rollback"
    out = []
    for said, monitor in SETTINGS.items():
        for name, world in YEARS.items():
            runs = few if said or world.lasting else found.runs
            hits = found.run(f"{said}{text}, {name}", partial(_quiet, monitor, world), runs, size=50)
            out.append(share(f"{said}{text}", name, hits, -0.05, _why_quiet(monitor, world)))
    return out


def _why_quiet(monitor: EDetector, world: many.World) -> str:
    if not world.lasting:
        return ""
    return (
        "How long shocks last is learned from 28 days before the deployment and from all later ones."
        if monitor.lasting_shocks
        else "Pays for days as if each were on its own: the sum of days that last varies more."
    )


def _quiet(monitor: EDetector, world: many.World, rng: np.random.Generator, n: int) -> list[bool]:
    drawn = many.draw(rng, n, YEAR, 2000 // SLICES, np.zeros(SLICES), world)
    whole, (of_all, of_each) = drawn.whole(), many.thresholds(monitor, SLICES)
    found = [
        many.alarms(whole, monitor, of_all, many.of_whole(monitor, whole, drawn)),
        many.alarms(drawn, monitor, of_each, many.of_slices(monitor, whole, drawn)),
    ]
    return [bool(hit) for hit in np.isfinite(np.concatenate(found, axis=1)).any(axis=1)]


@dataclass(frozen=True)
class Fault:
    """where: overall, or one slice. rows: a day, labelled. size: of the fault, share of rows. goal: days, 0 = none.
    least: share of rows on which the versions differ without a fault."""

    where: str
    rows: int
    size: float
    goal: int = 0
    least: float = sim.DISAGREE

    def text(self, since: int) -> str:
        place = "on all rows" if self.where == OVERALL else "in one slice"
        differ = "" if self.least == sim.DISAGREE else f", versions differ on {self.least:.0%}"
        return (
            f"{100 * self.size:.0f} points {place}, {self.rows:,} labels a day{differ}, fault from day {since}: "
            "median days"
        )


FAULTS = [
    *(Fault(OVERALL, 2000, size, goal) for size, goal in ((0.02, 9), (0.03, 5), (0.05, 0))),
    *(Fault(OVERALL, 200, size, goal) for size, goal in ((0.02, 9), (0.03, 5), (0.05, 0))),
    *(Fault(OVERALL, 200, size, goal, 0.03) for size, goal in ((0.02, 9), (0.03, 5))),
    *(Fault("s0", 200, size, goal) for size, goal in ((0.02, 9), (0.03, 5), (0.05, 0))),
    Fault("s0", 40, 0.20),
]


def detect(found: pieces.Pieces, runs: int, few: int) -> tuple[list[Line], dict[str, list[float]]]:
    """Days of labels from the first faulty day to the alarm, and the curves of the second plot."""
    out, curves = [], {}
    for fault in FAULTS:
        for since in (0, 60):
            for name, clustered in WORLDS.items():
                world, text = many.World(clustered, fault.least), fault.text(since)
                days = found.run(f"{text}, {name}", partial(_delays, sim.MONITOR, fault, since, world), runs)
                plain = found.run(f"plain, {text}, {name}", partial(_delays, sim.PLAIN, fault, since, world), 200)
                fair = [wait for wait in days if wait >= 1]
                why = _why(fault, clustered, fair, plain, len(days) - len(fair))
                out.append(median(text, name, fair, -fault.goal or None, why))
                if (fault.where, fault.rows, since) == (OVERALL, 2000, 60):
                    curves[f"{100 * fault.size:.0f} points, {name}"] = fair
    return [*out, *_lasting(found, few)], curves


def _lasting(found: pieces.Pieces, few: int) -> list[Line]:
    """Where shocks last; and what the alarms of the other setting would have taken."""
    out = []
    for fault in SHOWN:
        for said, monitor in SETTINGS.items():
            for name, year in YEARS.items():
                if said or year.lasting:
                    text, world = f"{said}{fault.text(60)}", replace(year, least=fault.least)
                    days = found.run(f"{text}, {name}", partial(_delays, monitor, fault, 60, world), few)
                    fair = [wait for wait in days if wait >= 1]
                    out.append(median(text, name, fair, None, _why_lasting(fault, world, len(days) - len(fair))))
    return out


def _why_lasting(fault: Fault, world: many.World, early: int) -> str:
    ideal = _days_known(fault, (1 + world.lasting) / (1 - world.lasting) if world.clustered else 0.0)
    text = f"Best possible bet that knows how much days vary, and for how long, about {ideal} d."
    return text + (f" {early} runs alarmed before the fault and are left out." if early else "")


def _delays(
    monitor: EDetector, fault: Fault, since: int, world: many.World, rng: np.random.Generator, n: int
) -> list[float]:
    """Days to the alarm; below 1: it alarmed before the fault. Without a fault in other slices than the one."""
    overall, days = fault.where == OVERALL, since + 100
    of_all, of_each = many.thresholds(monitor, SLICES)
    if overall:  # a day's rows of all slices carry their own shocks too
        drawn = many.draw(rng, n, days, fault.rows // SLICES, np.full(SLICES, fault.size), world, since)
        whole = drawn.whole()
        found = many.alarms(whole, monitor, of_all, many.of_whole(monitor, whole, drawn.first(LENDING)))
    else:
        sizes = np.array([fault.size] + [0.0] * (SLICES - 1))
        drawn = many.draw(rng, n, days, fault.rows, sizes, world, since)
        known = many.of_slices(monitor, drawn.whole(), drawn.first(LENDING + 1))
        found = many.alarms(drawn.first(1), monitor, of_each, known.first(1))
    return [float(day) for day in found[:, 0] - since + 1]


def _why(fault: Fault, clustered: bool, days: Sequence[float], plain: Sequence[float], early: int) -> str:
    """What the wait consists of; `ideal`: log threshold over the growth of the best fixed bet on independent rows."""
    streams = [sim.stream(name, []) for name in (OVERALL, *(f"s{k}" for k in range(SLICES)))]
    differ = float(sim.disagreement(np.array([fault.size]), fault.least)[0])
    up, edge = (1 + fault.size / differ) / 2, fault.size / differ
    growth = fault.rows * differ * (up * math.log1p(edge) + (1 - up) * math.log1p(-edge))
    needed = math.log(sim.MONITOR.thresholds(streams)[fault.where])
    ideal = math.ceil(needed / growth)
    text = f"Versions differ on {differ:.0%} under the fault. Best possible bet on independent rows about {ideal} d"
    if clustered:  # a Gaussian bet on day means whose variance is known
        ideal = _days_known(fault)
        text = f"Best possible bet that knows how much days vary about {ideal} d"
    if fault.goal and ideal > fault.goal:
        text += ", so the goal is out of reach at this alpha"
    elif fault.goal and days and float(np.median(days)) > fault.goal:
        cause = "the day shocks and the protection against them" if clustered else "the price of day protection"
        text += f", so the miss is {cause}"
    return text + _plain(plain) + (f". {early} runs alarmed before the fault and are left out." if early else ".")


def _days_known(fault: Fault, long_run: float = 1.0) -> int:
    """log threshold / growth of a Gaussian bet on day means whose long-run variance is known: that of the shocks times
    `long_run`, and the sampling noise."""
    needed = math.log(many.thresholds(sim.MONITOR, SLICES)[0 if fault.where == OVERALL else 1])
    differ = float(sim.disagreement(np.array([fault.size]), fault.least)[0])
    common = sim.SHOCK**2 / 2 * (1 + 1 / SLICES) if fault.where == OVERALL else sim.SHOCK**2
    return math.ceil(2 * needed * (differ / fault.rows + common * long_run) / fault.size**2)


def _plain(waits: Sequence[float]) -> str:
    """The detector without its protection of days."""
    usual = sorted(wait for wait in waits if wait >= 1)
    if not usual:
        return "; without the protection of days every run alarms before the fault" if waits else ""
    wrong = 1 - len(usual) / len(waits)
    text = f"; without the protection of days {days_text(usual[(len(usual) - 1) // 2])}"
    return text + (f", but {wrong:.0%} of the runs alarm before the fault" if wrong else "")


#: Rows of the frontier.
SHOWN = (Fault(OVERALL, 2000, 0.02), Fault(OVERALL, 2000, 0.03), Fault(OVERALL, 200, 0.03), Fault("s0", 200, 0.03))


def frontier(found: pieces.Pieces, runs: int) -> list[Line]:
    """What a faster alarm costs in false ones, where days move together; the budget `alpha` is the only change."""
    out, world = [], many.World(clustered=True)
    for alpha in ALPHAS:
        monitor = sim.MONITOR.model_copy(update={"alpha": alpha})
        text = f"alpha {alpha:g}: a false rollback within a year"
        out.append(share(text, "day-clustered", found.run(text, partial(_quiet, monitor, world), runs)))
        for fault in SHOWN:
            text = f"alpha {alpha:g}: {fault.text(60)}"
            days = found.run(text, partial(_delays, monitor, fault, 60, world), runs)
            out.append(median(text, "day-clustered", [wait for wait in days if wait >= 1]))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    pieces.add_options(parser)  # curves of the veto: a quarter of the runs
    parser.add_argument("--delays", type=int, default=2000, help="runs a row of days to the alarm")
    parser.add_argument("--few", type=int, default=500, help="runs a row of shocks that last, other settings, frontier")
    arguments = parser.parse_args()
    with pieces.Pieces(GATE_ROOTS, arguments) as found:
        of_gate, (vetoes, powers) = equal(found), veto(found)
    with pieces.Pieces(MONITOR_ROOTS, arguments) as found:
        of_monitor, (waits, delays) = quiet(found, arguments.few), detect(found, arguments.delays, arguments.few)
        at_alpha = frontier(found, arguments.few)
    lines = [*of_gate, *vetoes, *of_monitor, *waits, *at_alpha]
    Console().print(table(lines))
    veto_plot(SIZES, powers)
    delay_plot(delays)
    write(lines, f"--runs {arguments.runs} --delays {arguments.delays} --few {arguments.few} --seed {arguments.seed}")


if __name__ == "__main__":
    main()
