"""What every rule for retraining costs against the best schedule in hindsight, on streams whose concept drifts.

    python benchmarks/trigger_cost.py --seeds 3 --write

Cost of a schedule, in point-days: the excess of the serving model's true error over that of a model trained the same
day, summed over DAYS days, plus the price of each retrain, plus a tenth of it for each shadow fit. The oracle knows
every error of every day and takes the best schedule (dynamic programming). Rules see labelled rows only, LAG days late.
Needs river (`pip install continual[bench]`). About 70 CPU-seconds a stream and seed the first time, kept in --home.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from trigger_rules import RULES, Rule, World
from trigger_streams import DAYS, STREAMS, Stream, build

SHADOW_PRICE = 0.1
PRICES = (5.0, 20.0, 80.0)
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "trigger_cost.md"
QUIET = ("stationary (SEA)", "covariate shift only (SEA)")


def play(stream: Stream, price: float, rule: Rule) -> tuple[float, World]:
    """Cost over DAYS days in point-days, and what was done."""
    world, total = World(stream, price), 0.0
    for t in range(DAYS):
        if t and rule(world, t):
            world.champion = t
            world.retrains.append(t)
        total += 100 * float(stream.true[world.champion, t] - stream.true[t, t])
    return total + price * (len(world.retrains) + SHADOW_PRICE * len(world.shadows)), world


def oracle(stream: Stream, price: float) -> float:
    """Cheapest schedule: best[t] = least cost of the days from t on, just after training on day t."""
    fresh = np.diag(stream.true)
    best = np.zeros(DAYS + 1)
    for i in range(DAYS - 1, -1, -1):
        kept = np.cumsum(100 * (stream.true[i, i:] - fresh[i:]).astype(float))
        until = np.array([best[j] + price for j in range(i + 1, DAYS)] + [0.0])
        best[i] = float((kept + until).min())
    return float(best[0])


@dataclass(frozen=True)
class Cell:
    """One rule on one stream, seed and price; cost and the oracle's in point-days."""

    stream: str
    seed: int
    price: float
    rule: str
    cost: float
    oracle: float
    retrains: int


def measure(names: list[str], seeds: int, home: Path) -> list[Cell]:
    """Every rule on every stream, seed and price."""
    out = []
    for name in names:
        for seed in range(seeds):
            stream = build(name, seed, home)
            for price in PRICES:
                best = oracle(stream, price)
                for rule, make in RULES.items():
                    cost, world = play(stream, price, make())
                    out.append(Cell(name, seed, price, rule, cost, best, len(world.retrains)))
            print(f"{name}, seed {seed}", flush=True)
    return out


def page(cells: list[Cell], spent: float) -> str:
    """The tables in markdown."""
    seeds = len({c.seed for c in cells})
    drifting = [c for c in cells if c.stream not in QUIET]
    lines = [
        "# What a rule costs against the best schedule in hindsight",
        f"    python benchmarks/trigger_cost.py --seeds {seeds} --write",
        "",
        *(__doc__ or "").split("\n\n")[2].replace("DAYS", str(DAYS)).replace("LAG", "2").splitlines(),
        f"{len({c.stream for c in cells})} streams from river's generators, {seeds} seeds, prices of a retrain of "
        f"{', '.join(f'{p:g}' for p in PRICES)} point-days; {spent:,.0f} CPU-seconds with the streams at hand. Goal of "
        "the default: 1.10 of the oracle's cost.",
        "",
        "## Streams that drift: cost over the oracle's",
        "Sum of costs over sum of the oracle's, by stream; mean and worst over streams; a price of its own in the last "
        "columns.",
        "",
        "| rule | mean | worst | " + " | ".join(f"price {p:g}" for p in PRICES) + " | retrains a year |",
        "|---|---:|---:|" + "---:|" * len(PRICES) + "---:|",
    ]
    for rule in RULES:
        own = [c for c in drifting if c.rule == rule]
        by = _ratios(own, lambda c: c.stream)
        prices = _ratios(own, lambda c: c.price)
        numbers = [float(np.mean(list(by.values()))), max(by.values()), *(prices[p] for p in PRICES)]
        lines.append(
            f"| {rule} | {' | '.join(f'{x:.2f}' for x in numbers)} | {np.mean([c.retrains for c in own]):.1f} |"
        )
    lines += ["", "## By stream", "", "| rule | " + " | ".join(dict.fromkeys(c.stream for c in drifting)) + " |"]
    lines.append("|---|" + "---:|" * len({c.stream for c in drifting}))
    for rule in RULES:
        by = _ratios([c for c in drifting if c.rule == rule], lambda c: c.stream)
        lines.append(f"| {rule} | {' | '.join(f'{x:.2f}' for x in by.values())} |")
    lines += ["", "## Streams on which nothing is to be gained: point-days lost a year, retrains"]
    lines += [
        "The oracle hardly retrains there, a ratio would divide by nothing. The numbers hold the shadows' price.",
        "",
    ]
    lines += ["| rule | " + " | ".join(QUIET) + " |", "|---|---:|---:|"]
    for rule in RULES:
        cols = []
        for name in QUIET:
            own = [c for c in cells if c.rule == rule and c.stream == name]
            cols.append(
                f"{np.mean([c.cost - c.oracle for c in own]):.0f} ({np.mean([c.retrains for c in own]):.1f})"
                if own
                else "-"
            )
        lines.append(f"| {rule} | {' | '.join(cols)} |")
    return "\n".join(lines) + "\n"


def _ratios(cells: list[Cell], by) -> dict:
    ours, best = defaultdict(float), defaultdict(float)
    for c in cells:
        ours[by(c)] += c.cost
        best[by(c)] += c.oracle
    return {key: ours[key] / best[key] for key in ours}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--home", type=Path, default=Path("var/benchmarks/trigger"), help="streams and their models' errors"
    )
    parser.add_argument("--streams", nargs="*", default=list(STREAMS), choices=list(STREAMS), help="some of them")
    parser.add_argument("--write", action="store_true", help="into docs/results/trigger_cost.md")
    given = parser.parse_args()
    measured = measure(given.streams, given.seeds, given.home)
    text = page(measured, time.process_time())
    print(text)
    if given.write:
        RESULTS.write_text(text, encoding="utf-8")
