"""What every rule for retraining costs against the best schedule in hindsight, on streams whose concept drifts.

    python benchmarks/trigger_cost.py --seeds 3 --write

Cost of a schedule, in point-days: on each of 360 days the true error of the serving model above that of the best model
that any day up to then would have given, plus the price of each retrain, plus a tenth of it for each shadow fit. The
oracle knows every error of every day, the luck of every fit included, and takes the best schedule (dynamic
programming). Rules see labelled rows only, two days late. (Against the model of the same day instead, the oracle's cost
can be negative: an older fit is sometimes the luckier one.)

Needs river (`make bench`). About 70 CPU-seconds a stream and seed the first time, kept in --home.
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


def play(stream: Stream, price: float, rule: Rule) -> tuple[float, World]:
    """Cost over DAYS days in point-days, and what was done."""
    world, total, best = World(stream, price), 0.0, floor(stream)
    for t in range(DAYS):
        if t and rule(world, t):
            world.champion = t
            world.retrains.append(t)
        total += 100 * float(stream.true[world.champion, t] - best[t])
    return total + price * (len(world.retrains) + SHADOW_PRICE * len(world.shadows)), world


def floor(stream: Stream) -> np.ndarray:
    """(DAYS,) error of the best model there could be that day."""
    return np.asarray(np.nanmin(stream.true, axis=0))


def oracle(stream: Stream, price: float) -> float:
    """Cheapest schedule: best[t] = least cost of the days from t on, just after training on day t."""
    fresh = floor(stream)
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
    seeds, streams = len({c.seed for c in cells}), list(dict.fromkeys(c.stream for c in cells))
    lines = [
        "# What a rule for retraining costs against the best schedule in hindsight",
        f"    python benchmarks/trigger_cost.py --seeds {seeds} --write",
        "",
        (__doc__ or "").split("\n\n")[2],
        "",
        f"{len(streams)} streams of river's generators, {seeds} seed{'s' * (seeds > 1)}, prices of a retrain of "
        f"{', '.join(f'{p:g}' for p in PRICES)} point-days; {spent:,.0f} CPU-seconds with the streams at hand. "
        "Goal of the default: 1.10 of the oracle's cost on average.",
        "",
        "## All streams",
        "Ratio: the rule's cost over the oracle's, summed over seeds and prices of a stream; mean and worst of the "
        "streams. Above: point-days a year beyond the oracle, by price; it does not depend on what a day is measured "
        "against.",
        "",
        "| rule | ratio, mean | worst | " + " | ".join(f"above at price {p:g}" for p in PRICES) + " | retrains |",
        "|---|---:|---:|" + "---:|" * (len(PRICES) + 1),
    ]
    for rule in RULES:
        own = [c for c in cells if c.rule == rule]
        by = list(_ratios(own).values())
        above = [np.mean([c.cost - c.oracle for c in own if c.price == p]) for p in PRICES]
        numbers = [f"{np.mean(by):.2f}", f"{max(by):.2f}", *(f"{x:,.0f}" for x in above)]
        lines.append(f"| {rule} | {' | '.join(numbers)} | {np.mean([c.retrains for c in own]):.1f} |")
    best = [np.mean([c.oracle for c in cells if c.price == p]) for p in PRICES]
    lines += ["", f"The oracle itself costs {', '.join(f'{x:,.0f}' for x in best)} point-days a year at these prices."]
    lines += ["", "## By stream: the ratio", "", "| rule | " + " | ".join(streams) + " |"]
    lines.append("|---|" + "---:|" * len(streams))
    for rule in RULES:
        by_stream = _ratios([c for c in cells if c.rule == rule])
        lines.append(f"| {rule} | {' | '.join(f'{by_stream[name]:.2f}' for name in streams)} |")
    return "\n".join(lines) + "\n"


def _ratios(cells: list[Cell]) -> dict[str, float]:
    """Stream -> cost over the oracle's."""
    ours, best = defaultdict(float), defaultdict(float)
    for c in cells:
        ours[c.stream] += c.cost
        best[c.stream] += c.oracle
    return {name: ours[name] / best[name] for name in ours}


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
