"""How often weak-slice discovery confirms a slice that is not weak, how often it finds one that is, and its cost.

    python benchmarks/discovery.py --runs 1000 --seed 0

A window has 12,000 labelled rows on 60 days and 8 columns (4 of names, 4 of numbers with 5% nulls). `false` counts
runs with any confirmed slice whose true mean loss is not above that of the other rows of its days. `found`: a
confirmed slice shares at least half of its rows with the planted one (Jaccard); `exact`: at least 90%.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from continual.core.discovery import Terms, discover
from continual.core.expression import mask

ROWS, DAYS = 12_000, 60
NAMES = {"carrier": 12, "origin": 3, "dest": 40, "block": 5}
NUMBERS = ("distance", "age", "wind", "delay")
PLANTED = "origin = 'v1' AND block = 'v2'"


@dataclass(frozen=True)
class World:
    """How losses come about. shock: sd of what a day's rows share; own: sd of what the rows of a value of `carrier`
    and `origin` share on a day; uneven: days differ in rows and, with their shock, in the mix of values; heavy:
    log-normal losses instead of 0/1; effect: added to the mean loss of the planted slice (about 5% of the rows)."""

    name: str
    shock: float = 0.0
    own: float = 0.0
    uneven: bool = False
    heavy: bool = False
    effect: float = 0.0


WORLDS = [
    World("none weak, independent rows"),
    World("none weak, day shocks", shock=0.08),
    World("none weak, shocks of a value on a day", shock=0.08, own=0.06),
    World("none weak, uneven days, mix follows the shock", shock=0.08, uneven=True),
    World("none weak, heavy tails, day shocks", shock=0.3, heavy=True),
    World("planted +0.06, day shocks", shock=0.08, effect=0.06),
    World("planted +0.10, day shocks", shock=0.08, effect=0.10),
    World("planted +0.15, day shocks", shock=0.08, effect=0.15),
    World("planted +0.10, shocks of a value on a day", shock=0.08, own=0.06, effect=0.10),
]


def window(world: World, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Columns, loss, day and what each row's mean loss has above the others of its day, all of length ROWS."""
    size = rng.lognormal(0, 0.7, DAYS) if world.uneven else np.ones(DAYS)
    day = rng.choice(DAYS, ROWS, p=size / size.sum())
    shock = (
        np.clip(rng.normal(0, world.shock, DAYS), -2 * world.shock, 2 * world.shock) if world.shock else np.zeros(DAYS)
    )
    columns: dict[str, np.ndarray] = {}
    for name, k in NAMES.items():
        code = (rng.random(ROWS) ** 1.3 * k).astype(int)
        moved = rng.random(ROWS) < 5 * shock[day] if world.uneven else np.zeros(ROWS, bool)
        columns[name] = np.where(moved, 0, code)
    mean = 0.2 + shock[day]
    for name in ("carrier", "origin") if world.own else ():
        mean = mean + np.clip(rng.normal(0, world.own, (DAYS, NAMES[name])), -0.1, 0.1)[day, columns[name]]
    frame = pd.DataFrame({c: pd.Series(v).map("v{}".format) for c, v in columns.items()})
    for name in NUMBERS:
        frame[name] = np.where(rng.random(ROWS) < 0.05, np.nan, np.round(rng.gamma(2, 300, ROWS)))
    above = world.effect * mask(PLANTED, frame, ROWS)
    if world.heavy:
        return frame, np.exp(rng.normal(shock[day], 1.0)), day, above
    return frame, (rng.random(ROWS) < np.clip(mean, 0.01, 0.95) + above).astype(float), day, above


def run(world: World, seed: np.random.SeedSequence) -> tuple[bool, bool, bool, int]:
    """Whether any confirmation is false, the planted slice found, found exactly; number confirmed."""
    frame, loss, day, above = window(world, np.random.default_rng(seed))
    confirmed = [s for s in discover(frame, loss, list(frame.columns), day) if s.confirmed]
    rows = [mask(s.predicate, frame, ROWS) for s in confirmed]
    false = any(above[r].mean() <= above[~r].mean() + 1e-12 for r in rows)
    planted = above > 0
    overlap = max(((r & planted).sum() / (r | planted).sum() for r in rows), default=0.0) if planted.any() else 0.0
    return false, overlap >= 0.5, overlap >= 0.9, len(confirmed)


def wilson(k: int, n: int) -> str:
    """Share with its 95% interval."""
    p, z = k / n, 1.96
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return f"{100 * p:.1f}% [{100 * max(low, 0):.1f}, {100 * high:.1f}]"


def speed(rng: np.random.Generator) -> str:
    """CPU of one discovery on 200,000 rows x 12 columns, beside one gradient boosting fit on the same rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    n = 200_000
    names = {f"name{i}": rng.choice([f"v{j}" for j in range(k)], n) for i, k in enumerate([3, 8, 16, 100, 5, 2])}
    frame = pd.DataFrame(
        names | {f"number{i}": np.where(rng.random(n) < 0.05, np.nan, rng.normal(size=n)) for i in range(6)}
    )
    loss, day = (rng.random(n) < 0.2).astype(float), rng.integers(0, DAYS, n)
    encoded = frame.assign(**{c: frame[c].astype("category").cat.codes.astype(float) for c in names})
    ours, fit = [], []
    for _ in range(3):
        start = time.process_time()
        discover(frame, loss, list(frame.columns), day, Terms())
        ours.append(time.process_time() - start)
        start = time.process_time()
        HistGradientBoostingClassifier().fit(encoded, loss)
        fit.append(time.process_time() - start)
    return f"200,000 rows x 12 columns: {min(ours):.2f} CPU-s = {min(ours) / min(fit):.2f} x one boosting fit"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worlds", type=int, nargs="*", default=range(len(WORLDS)), help="Places in WORLDS; all.")
    options = parser.parse_args()
    console = Console(width=140)
    console.print(speed(np.random.default_rng(options.seed)))
    console.print("| world | false | found | exact | confirmed a run |\n|---|---|---|---|---|")
    for i in options.worlds:
        world = WORLDS[i]
        seeds = np.random.SeedSequence([options.seed, i]).spawn(options.runs)
        found = [run(world, seed) for seed in track(seeds, world.name, console=console, transient=True)]
        false, there, exact, count = (sum(column) for column in zip(*found, strict=True))
        n = options.runs
        shown = (wilson(there, n), wilson(exact, n)) if world.effect else ("-", "-")
        console.print(" | ".join(["| " + world.name, wilson(false, n), *shown, f"{count / n:.2f} |"]), markup=False)


if __name__ == "__main__":
    main()
