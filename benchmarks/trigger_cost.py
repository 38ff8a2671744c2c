"""What every rule for retraining costs against the best schedule in hindsight, on streams whose concept drifts.

    python benchmarks/trigger_cost.py --seeds 3 --write

Cost of a schedule, in point-days: on each of 360 days the true error of the serving model, plus the price of each
retrain, plus a tenth of it for each shadow fit: what a year of operation costs (as in Mahadevan & Mathioudakis 2024,
Cost-aware retraining). The oracle knows every error of every day, the luck of every fit included, and takes the best
schedule (dynamic programming). Rules see labelled rows only, two days late. The avoidable part of the cost stands
beside it: the error above that of the best model that any day up to then would have given. (Above the model of the same
day instead, the oracle's part can be negative: an older fit is sometimes the luckier one.)

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
    """Avoidable cost over DAYS days in point-days, and what was done."""
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
    """One rule on one stream, seed and price. In point-days: avoidable cost, the oracle's, what nobody avoids."""

    stream: str
    seed: int
    price: float
    rule: str
    cost: float
    oracle: float
    unavoidable: float
    retrains: int


def measure(names: list[str], seeds: int, home: Path) -> list[Cell]:
    """Every rule on every stream, seed and price."""
    out = []
    for name in names:
        for seed in range(seeds):
            stream = build(name, seed, home)
            least = 100 * float(floor(stream).sum())
            for price in PRICES:
                best = oracle(stream, price)
                for rule, make in RULES.items():
                    cost, world = play(stream, price, make())
                    out.append(Cell(name, seed, price, rule, cost, best, least, len(world.retrains)))
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
        "streams, of all cost and of the avoidable part. Above: point-days a year beyond the oracle, by price.",
        "",
        "| rule | ratio, mean | worst | avoidable, mean | worst | "
        + " | ".join(f"above at price {p:g}" for p in PRICES)
        + " | retrains |",
        "|---|---:|---:|---:|---:|" + "---:|" * (len(PRICES) + 1),
    ]
    for rule in RULES:
        own = [c for c in cells if c.rule == rule]
        ratios = [list(_ratios(own, part).values()) for part in (1.0, 0.0)]
        above = [np.mean([c.cost - c.oracle for c in own if c.price == p]) for p in PRICES]
        numbers = [f"{x:.2f}" for by in ratios for x in (np.mean(by), max(by))] + [f"{x:,.0f}" for x in above]
        lines.append(f"| {rule} | {' | '.join(numbers)} | {np.mean([c.retrains for c in own]):.1f} |")
    best = [np.mean([c.oracle for c in cells if c.price == p]) for p in PRICES]
    least = np.mean([c.unavoidable for c in cells])
    lines += [
        "",
        f"Nobody can avoid {least:,.0f} point-days a year; the oracle's avoidable part is "
        f"{', '.join(f'{x:,.0f}' for x in best)} at these prices.",
    ]
    for title, part in (("the ratio", 1.0), ("the ratio of the avoidable part", 0.0)):
        lines += ["", f"## By stream: {title}", "", "| rule | " + " | ".join(streams) + " |"]
        lines.append("|---|" + "---:|" * len(streams))
        for rule in RULES:
            by_stream = _ratios([c for c in cells if c.rule == rule], part)
            lines.append(f"| {rule} | {' | '.join(f'{by_stream[name]:.2f}' for name in streams)} |")
    return "\n".join([*lines, "", *_says(cells)])


#: The seed on which `shadow.every` was chosen.
CHOSEN_ON = 0
DEFAULT = "the same, a shadow every 14 days (the default)"


def _says(cells: list[Cell]) -> list[str]:
    """What is to be read off the tables."""
    whole, part = ({r: float(np.mean(list(_ratios([c for c in cells if c.rule == r], p).values()))) for r in RULES}
                   for p in (1.0, 0.0))  # fmt: skip
    still = _ratios([c for c in cells if c.rule == DEFAULT], 1.0)
    worst = max(still, key=lambda name: still[name])
    best = min(whole, key=lambda rule: whole[rule])
    return [
        "## What it says",
        f"- The default costs {whole[DEFAULT]:.2f} of the oracle's year (goal 1.10: "
        f"{'met' if whole[DEFAULT] <= 1.10 else 'missed'}), {still[worst]:.2f} on its worst stream ({worst}). "
        f"Least of these rules: {best}, {whole[best]:.2f}.",
        f"- Of the avoidable part the default pays {part[DEFAULT]:.1f} times the oracle's. No rule that sees the past "
        "only can promise less than twice it (renting or buying skis: Karlin et al. 1988), and some of it is luck: "
        "the oracle picks the luckiest fits, which no rule can know.",
        f"- The default's days between shadows were chosen on seed {CHOSEN_ON} of these streams. " + _by_seed(cells),
    ]


def _by_seed(cells: list[Cell]) -> str:
    """The default's ratio where it was chosen, and on the seeds that nobody had looked at."""
    own = [c for c in cells if c.rule == DEFAULT]
    parts = {chosen: [c for c in own if (c.seed == CHOSEN_ON) == chosen] for chosen in (True, False)}
    told = {chosen: float(np.mean(list(_ratios(part, 1.0).values()))) for chosen, part in parts.items() if part}
    if False not in told:
        return "No other seed was run."
    others = sorted({c.seed for c in parts[False]})
    return (
        f"It costs {told[True]:.3f} of the oracle's year there and {told[False]:.3f} on "
        f"seed{'s' * (len(others) > 1)} {' and '.join(map(str, others))}, which had no part in the choice."
    )


def _ratios(cells: list[Cell], part: float) -> dict[str, float]:
    """Stream -> cost over the oracle's; part: how much of the unavoidable cost is in both."""
    ours, best = defaultdict(float), defaultdict(float)
    for c in cells:
        ours[c.stream] += c.cost + part * c.unavoidable
        best[c.stream] += c.oracle + part * c.unavoidable
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
