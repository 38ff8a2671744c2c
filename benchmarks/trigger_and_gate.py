"""The trigger and the gate read the same days: how often does luck that starts a retrain also promote its candidate?

    nice -n 19 python benchmarks/trigger_and_gate.py --runs 400 --scans 4000

Writes docs/results/trigger_and_gate.md. Stopped, it goes on where it was (`pieces.py`). The trigger is the product's
`cost` with default prices, the levels are those that the default gate's yearly budget leaves (`gates._spending`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pieces
import simulate as sim
from operating_report import percent
from scipy.stats import beta, norm

from continual.core.prices import Prices
from continual.core.trigger_evidence import DayGain, PastRetrain, TriggerEvidence
from continual.core.verdict import GateEvidence, PastDecision
from continual.core.window import Window
from continual.flows.trigger_evidence import DAYS
from continual.gates._spending import spending_of
from continual.triggers.cost import Cost

PAGE = Path(__file__).parents[1] / "docs" / "results" / "trigger_and_gate.md"
ROOTS = ("trigger_and_gate", "continual.triggers.cost", "continual.gates._spending")
START = datetime(2024, 1, 1, tzinfo=UTC)
#: Days of the gate's window, of a year, between fits of the shadow, between looks of the trigger `cost`.
JUDGED, YEAR, SHADOW, LOOK = 28, 365, 14, 7
#: Labels a day: standard error of a day's difference, where rows are independent and where they share a shock.
LABELS = 1000
NOISE = {
    "independent": float(np.sqrt(sim.DISAGREE / LABELS)),
    "days share a shock": float(np.sqrt(sim.DISAGREE / LABELS + sim.SHOCK**2 / 2 * (1 + 1 / 20))),
}
#: Correlation of the candidate's luck of a day with the shadow's.
TOGETHER = (0.0, 0.5, 0.9, 1.0)
#: A trigger that is as bad as can be fires when the gate's own statistic of the shadow reaches so many sigma.
REACHED = (1.5, 2.0, 2.5)
Fires = list[tuple[float, float]]


@dataclass
class Year:
    """The shadow's gains by day, in standard errors; fires so far and what they took of the budget."""

    luck: np.ndarray
    fires: Fires
    history: tuple[PastDecision, ...] = ()

    def judged(self, day: int) -> float:
        """The gate's statistic of the shadow's luck."""
        return float(self.luck[day - 1 - JUDGED : day - 1].sum() / np.sqrt(JUDGED))

    def fire(self, day: int) -> None:
        """A candidate is judged on the days before, and takes its part of the year's budget."""
        end = START + timedelta(days=day - 1)
        window = Window(end - timedelta(days=JUDGED), end).as_dict()
        as_of = (START + timedelta(days=day)).isoformat()
        spent = spending_of(GateEvidence("v", "c", (), (), window, as_of, history=self.history), 0.05)
        assert spent is not None
        self.history += (PastDecision("v", as_of, window, 0.0, spent.charged),)
        self.fires.append((self.judged(day), spent.charged))


def by_cost(noise: float, rng: np.random.Generator, n: int) -> list[Fires]:
    """Of n years: where the product's trigger fires."""
    out = []
    for _ in range(n):
        year, last, past = Year(rng.normal(0, 1, YEAR + 1), []), 0, []
        for day in range(JUDGED + SHADOW, YEAR, LOOK):
            if Cost().decide(evidence(day, noise * year.luck, last, past)).retrain:
                year.fire(day)
                last = day
                past.append(PastRetrain((START + timedelta(days=day)).isoformat(), None, 0, promoted=False))
        out.append(year.fires)
    return out


def evidence(day: int, gains: np.ndarray, last: int, past: Sequence[PastRetrain]) -> TriggerEvidence:
    """As of that day; the champion was trained on day 0, a shadow is fitted every two weeks, labels are a day late."""
    se = float(np.std(gains))
    days = tuple(
        DayGain(f"{d}", d + 0.5, LABELS, LABELS, None, None, None, None, float(gains[d]), se, f"s{d // SHADOW}")
        for d in range(SHADOW, day - 1)
    )
    return TriggerEvidence(
        as_of=START + timedelta(days=day), last_retrain=START + timedelta(days=last), new_labels=0, has_champion=True,
        champion="1", age=float(day), reigning=float(day), prices=Prices(), volume=float(LABELS), days=days[-DAYS:],
        retrains=tuple(past),
    )  # fmt: skip


def by_scan(reached: float, rng: np.random.Generator, n: int) -> list[Fires]:
    """Of n years: a trigger that looks daily at the gate's own statistic; a retrain may follow every other day."""
    out = []
    for _ in range(n):
        year, last = Year(rng.normal(0, 1, YEAR + 1), []), -YEAR
        for day in range(JUDGED + 1, YEAR):
            if day - last >= 2 and year.judged(day) >= reached:
                year.fire(day)
                last = day
        out.append(year.fires)
    return out


def promoted(years: Sequence[Fires], together: float) -> tuple[float, float, float]:
    """Mean chance of a year that any candidate passes, and its 95% interval; the candidate's own luck is integrated.

    together 1: the candidate is the shadow, a year has a promotion or none (Clopper-Pearson).
    """
    chances = np.array([_any(fires, together) for fires in years])
    n, mean = len(chances), float(chances.mean())
    if together == 1:
        k = int(chances.sum())
        low = float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0
        return mean, low, float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
    drawn = np.random.default_rng(0).choice(chances, (2000, n)).mean(axis=1)
    return mean, *(float(q) for q in np.quantile(drawn, (0.025, 0.975)))


def _any(fires: Fires, together: float) -> float:
    z, level = (np.array(part) for part in zip(*fires, strict=True)) if fires else (np.zeros(0), np.zeros(0))
    bar = norm.isf(level)
    if together == 1:
        return float((z > bar).any())
    return float(1 - np.prod(norm.cdf((bar - together * z) / np.sqrt(1 - together**2))))


def rows(found: pieces.Pieces, runs: int, scans: int) -> Iterator[list[str]]:
    """Of every trigger."""
    for name, noise in NOISE.items():
        yield _row("`cost`, the default", name, found.run(f"cost, {name}", partial(by_cost, noise), runs, size=10))
    for reached in REACHED:
        years = found.run(f"scan {reached}", partial(by_scan, reached), scans, size=100)
        yield _row(f"fires when the gate's own statistic of the shadow reaches {reached:g} sigma", "any", years)


def _row(trigger: str, world: str, years: Sequence[Fires]) -> list[str]:
    years = [[(z, level) for z, level in fires] for fires in years]
    cells = []
    for together in TOGETHER:
        mean, low, high = promoted(years, together)
        cells.append(f"{percent(mean)} ({percent(low)} to {percent(high)})")
    fires = np.mean([len(fires) for fires in years])
    return [trigger, world, f"{len(years):,}", f"{fires:.2f}", *cells]


def power() -> str:
    """What the two cures cost a candidate that is one point better, days sharing a shock: by the normal law."""
    se = float(np.sqrt(sim.DISAGREE / (20 * LABELS * 4) + sim.SHOCK**2 / 2 * (1 + 1 / 20) / JUDGED))
    charge = spending_of(GateEvidence("v", "c", (), (), Window(START, START + timedelta(1)).as_dict(),
                                      (START + timedelta(2)).isoformat(), history=()), 0.05)  # fmt: skip
    assert charge is not None
    plain, looked = norm.isf(charge.charged), _scanned(charge.charged, 60)
    shares = [norm.sf(bar - 0.01 / se) for bar in (plain, looked)]
    return (
        f"A candidate one point better (20 slices, 1,000 labels a slice and week, four weeks, days share a shock) "
        f"passes its first test with {shares[0]:.0%}. If the gate paid for sixty daily looks of a trigger on its "
        f"statistic, the level {charge.charged:.2%} would become {norm.sf(looked):.3%} and that share {shares[1]:.0%}. "
        f"If it judged only days after the trigger, the share would stay and every retrain wait {JUDGED} days."
    )


def _scanned(charge: float, days: int) -> float:
    """Height that a mean of JUDGED days passes on any of so many days with probability `charge` (Siegmund 1985)."""
    bars = np.linspace(1, 6, 5001)
    step = np.exp(-0.583 * bars * np.sqrt(2 / JUDGED))
    passes = norm.sf(bars) + days / JUDGED * bars * norm.pdf(bars) * step
    return float(bars[np.argmax(passes <= charge)])


def write(table: Sequence[Sequence[str]], asked: str) -> None:
    """The committed page."""
    head = ["trigger", "rows", "years", "retrains a year", *(f"together {rho:g}" for rho in TOGETHER)]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
    PAGE.write_text(f"""# Luck that starts a retrain, and its candidate

`python benchmarks/trigger_and_gate.py {asked}` wrote this page. A retrain that starts because a fresh model looked
better is judged on days on which it looked better. So a single verdict after such a trigger says less than its level.
What counts is the year: **the chance that any candidate is promoted that is no better than the champion**, of which
`gate.yearly_alpha` promises at most 5%. Here candidate, shadow and champion are equally good for a whole year; nothing
corrects for the selection. "Together": correlation of the candidate's luck of a day with the shadow's that the trigger
sees; 1 = the candidate is the shadow.

| {" | ".join(head)} |
{"|---" * len(head)}|
{lines}

**What this says.** The default trigger adds up a smoothed excess and asks whether it has cost a retrain; equal models
rarely do. Its years are the first two rows. A trigger that fires when the gate's own statistic is high is the worst
case: a budget for decisions does not cover looks that choose the decision's day. No trigger of the product reads that
statistic (`performance` reads the champion alone, and was not simulated);
one of your own may.

**What a cure would cost.** {power()}

## How it is simulated
- {LABELS:,} labels a day, versions differ on {sim.DISAGREE:.0%} of the rows. A day's difference has a standard error of
  {", ".join(f"{100 * se:.1f} points ({name})" for name, se in NOISE.items())}.
- `cost` has its default prices, looks every {LOOK} days, reads a shadow that is fitted every {SHADOW} days and at most
  {DAYS} days of it, as the flow does. A rejected retrain counts for its odds of the next one.
- At a fire the gate compares on the {JUDGED} days before, at the level that the year's budget leaves after the fires
  before it. Slices and their vetoes, which only reject, are left out.
- Intervals: bootstrap over years; where together is 1, Clopper-Pearson.
""", encoding="utf-8")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    pieces.add_options(parser, runs=400)
    parser.add_argument("--scans", type=int, default=4000, help="years of each trigger that is as bad as can be")
    arguments = parser.parse_args()
    with pieces.Pieces(ROOTS, arguments) as found:
        table = list(rows(found, arguments.runs, arguments.scans))
    for row in table:
        print(" | ".join(row))
    write(table, f"--runs {arguments.runs} --scans {arguments.scans} --seed {arguments.seed}")


if __name__ == "__main__":
    main()
