"""How often the default detector of data faults is wrong, and how fast it is right: simulated on its public class.

    python benchmarks/faults.py --runs 2000 --seed 0 [--only quiet full power]

Writes docs/results/faults.md and a plot beside it. `--only` prints, and writes nothing.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from faults_quiet import LABELS, World, alarmed, draw
from operating_report import HEAD, Line, median, share, table
from rich.console import Console
from rich.progress import track

from continual.core.stats.jump_counts import QUANTILES, SPECIAL
from continual.detectors.base import DETECTORS, ColumnDays

mpl.use("Agg")
from matplotlib import pyplot as plt

Floats = np.ndarray
RESULTS = Path(__file__).parents[1] / "docs" / "results"
PAST, SCAN = 34, 182
#: Rows a day of the slices of a quiet deployment.
SLICES = (30, 60, 100, 200, 400, 600)
#: A whole application: rows a day of its slices, columns, days.
MANY, COLUMNS, YEAR = tuple(int(n) for n in np.geomspace(15, 120, 20).round()), 15, 365
#: Shares compared on a day in a deployment of 20 slices and overall, 15 columns.
LOOKS = 21 * 15 * 14
FAULTS = ("null in every row", "null in 20%", "inches to centimetres", "scale 1.1", "clock +240 min", "frozen sensor",
          "category of 30% renamed")  # fmt: skip
SIZES = (20, 50, 200, 1000)
BATCH = 100


def cells(rng: np.random.Generator, n: int, probability: Floats) -> Floats:
    """(D, R, C) counts below each cut, missing, most frequent, outside, of n rows in bins with `probability`
    (D, R, bins + missing)."""
    drawn = rng.multinomial(n, probability)
    below = np.cumsum(drawn[..., :-2], axis=-1)
    return np.concatenate([below, drawn[..., -1:], np.ones((*below.shape[:2], 1)), 0 * drawn[..., :1]], axis=-1)


def totals_of(counts: Floats, n: int) -> Floats:
    present = n - counts[..., -3:-2]
    out = np.broadcast_to(present, counts.shape).copy()
    out[..., -3] = n
    return out.astype(float)


def column(parts: list[Floats], sizes: list[int], name: str = "x") -> ColumnDays:
    """Slices and the rest; all rows first."""
    totals = [totals_of(c, n) for c, n in zip(parts, sizes, strict=True)]
    counts, rows = np.stack(parts, axis=-2).astype(float), np.stack(totals, axis=-2)
    everything = counts.sum(axis=-2, keepdims=True), rows.sum(axis=-2, keepdims=True)
    labels = (*(f"below {i}" for i in range(counts.shape[-1] - 3)), *SPECIAL)
    whole = [
        np.concatenate([e, part[..., :-1, :]], axis=-2) for e, part in zip(everything, (counts, rows), strict=True)
    ]
    return ColumnDays(name, "input", labels, whole[0], whole[1])


def with_missing(inside: Floats, missing: Floats) -> Floats:
    return np.concatenate([inside * (1 - missing[..., None]), missing[..., None]], axis=-1)


def first_alarm(detector, found: ColumnDays, looks: int) -> Floats:
    """(R, S) day of the scan with the first finding, inf without; the walk of `JumpDetector` for many runs at once."""
    days, weekday = len(found.counts), np.arange(len(found.counts)) % 7
    clean = np.ones(found.counts.shape[:-1], bool)
    weak = np.zeros(found.counts.shape, bool)
    out = np.full(found.counts.shape[1:-1], math.inf)
    for day in range(PAST, days):
        look = detector.look(found, weekday, day, clean, looks)
        weak[day] = look.weak
        hit = (look.size >= 1) | (look.weak & (weak[day - 4 : day + 1].sum(axis=0) >= 2))
        clean[day] = ~hit.any(axis=-1)
        out = np.where(np.isinf(out) & hit.any(axis=-1), day - PAST, out)
    return out


def quiet(runs: int, rng: np.random.Generator) -> list[Line]:
    """One column without a fault: any alarm in SCAN days, at a budget of 5% for just those looks."""
    out = []
    for world in (World("independent", 0.0, 0.0, 0.0), World("day shocks, week, season", 0.3, 0.4, 1.0, phase=0)):
        detector, looks, hits = DETECTORS.get("jump")(horizon_days=SCAN), (len(SLICES) + 1) * len(LABELS), []
        for _ in track(range(max(runs // BATCH, 1)), f"quiet, {world.name}"):
            hits += list(alarmed(detector, draw(rng, detector.history_days + SCAN, BATCH, SLICES, world), looks))
        text = (
            f"One column, overall + {len(SLICES)} slices of {SLICES[0]} to {SLICES[-1]} rows a day, {SCAN} daily looks"
        )
        out.append(share(f"{text}, alpha 5% for just these: a false alarm", world.name, hits, -0.05))
    return out


def full(runs: int, rng: np.random.Generator) -> list[Line]:
    """Whole applications for a year at the default budget, each column with a world of its own."""
    detector, hits = DETECTORS.get("jump")(), []
    for _ in track(range(max(runs // 40, 1)), "full"):
        world = World("mixed", rng.uniform(0, 0.3, COLUMNS), rng.uniform(0, 0.4, COLUMNS), rng.uniform(0, 1, COLUMNS))
        drawn = draw(rng, detector.history_days + YEAR, COLUMNS, MANY, world)
        hits.append(bool(alarmed(detector, drawn, (len(MANY) + 1) * COLUMNS * len(LABELS)).any()))
    text = (
        f"{COLUMNS} columns, overall + {len(MANY)} slices of {MANY[0]} to {MANY[-1]} rows a day, a year of daily looks"
    )
    return [share(f"{text}, default budget: any false alarm", "shocks, weeks, seasons mixed", hits, -0.05)]


def base(rng: np.random.Generator, fault: str, n: int) -> tuple[Floats, Floats]:
    """Usual values and faulty ones of the same column, in large samples."""
    if fault.startswith("clock"):
        usual = np.clip(rng.normal(840, 260, n), 300, 1439)
        return usual, (usual + 240) % 1440
    usual = rng.normal(10, 2, n)
    return usual, usual * {"inches to centimetres": 2.54, "scale 1.1": 1.1}.get(fault, 1.0)


def power(runs: int, rng: np.random.Generator) -> list[Line]:
    """Days to the finding of a fault in one slice, default budget over a whole deployment."""
    out = []
    for fault in FAULTS:
        for n in SIZES:
            waits: list[float] = []
            for _ in track(range(max(runs // (10 * BATCH), 1)), f"{fault}, {n} rows"):
                found = first_alarm(DETECTORS.get("jump")(), faulty_column(rng, fault, n), LOOKS)[:, 1]
                waits += list(found + 1)
            text = f"{fault}, slice of {n:,} rows a day: median days to the finding"
            out.append(median(text, "day shocks", waits))
    return out


def faulty_column(rng: np.random.Generator, fault: str, n: int) -> ColumnDays:
    """The slice, from day PAST on faulty, and 20 times its rows besides; shocks of .1 sd each day, own .03."""
    shape, days = (PAST + 14, BATCH), PAST + 14
    usual, wrong = base(rng, fault, 100_000)
    cuts = np.quantile(usual, QUANTILES)
    jitter = rng.normal(0, 0.02, shape)
    parts = []
    for number, rows in enumerate((n, 20 * n)):
        normal = drawn_probability(usual, cuts, shape)
        broken = drawn_probability(wrong, cuts, shape)
        late = (np.arange(days) >= PAST)[:, None, None] & (number == 0)
        inside = np.where(late, broken, normal)
        tilt = np.exp(jitter[..., None] * np.linspace(-1, 1, inside.shape[-1]))
        inside = inside * tilt / (inside * tilt).sum(axis=-1, keepdims=True)
        missing = np.full(shape, 0.01)
        missing[PAST:] = {"null in every row": 1.0, "null in 20%": 0.2}.get(fault, 0.01) if number == 0 else 0.01
        drawn = cells(rng, rows, with_missing(inside, missing))
        if number == 0:
            special(drawn, fault, rows, rng)
        parts.append(drawn)
    return column(parts, [n, 20 * n])


def special(drawn: Floats, fault: str, rows: int, rng: np.random.Generator) -> None:
    """Frozen: each day one value; renamed: the rows move to a category never seen, the last share of the list."""
    if fault == "frozen sensor":
        one = rng.integers(0, drawn.shape[-1] - 3, drawn[PAST:].shape[:2])
        drawn[PAST:, :, :-3] = np.where(np.arange(drawn.shape[-1] - 3) >= one[..., None], rows, 0)
        drawn[PAST:, :, -3], drawn[PAST:, :, -2] = 0, rows
    elif fault.startswith("category"):
        drawn[:, :, :-2] = 0
        drawn[:, :, 0] = rng.binomial(rows, 0.3, drawn.shape[:2])
        drawn[PAST:, :, 1] = drawn[PAST:, :, 0]
        drawn[PAST:, :, 0] = 0


def drawn_probability(values: Floats, cuts: Floats, shape: tuple[int, int]) -> Floats:
    share_of = np.bincount(np.searchsorted(cuts, values, side="right"), minlength=len(cuts) + 1) / len(values)
    return np.broadcast_to(share_of, (*shape, len(share_of)))


EXPERIMENTS: dict[str, Callable[[int, np.random.Generator], list[Line]]] = {
    "quiet": quiet, "full": full, "power": power,
}  # fmt: skip


def plot(lines: list[Line], path: Path) -> None:
    """Median days by rows a day, one curve per fault."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for number, fault in enumerate(FAULTS):
        own = lines[number * len(SIZES) : (number + 1) * len(SIZES)]
        axes.plot(SIZES, [min(line.value, 15) for line in own], marker="o", label=fault)
    axes.set(xscale="log", xlabel="rows of the slice a day", ylabel="median days to the finding", ylim=(0, 15.5))
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def document(lines: list[Line], runs: int, seed: int, minutes: float) -> str:
    rows = "\n".join(f"| {' | '.join(line.cells())} |" for line in lines)
    return f"""# Data faults: how often the detector is wrong, how fast it is right

`python benchmarks/faults.py --runs {runs} --seed {seed}` wrote this page in {minutes:.1f} minutes on one core. The
number of runs stands in every row; each experiment has its own generator, seeded [{seed}, its number].

| {" | ".join(HEAD)} |
|{"---|" * len(HEAD)}
{rows}

![Days to the finding by rows a day](faults.png)

## How it is simulated

- The detector is `JumpDetector` with its defaults. **One column**: {SCAN} daily looks after 42 quiet days; alpha of 5%
  is spent on the looks at this column alone, so that the rate can be counted. "Day shocks, week, season": each day
  moves all values by a normal shock of .3 standard deviations and each slice by one of .1 more, a week with an
  amplitude of .4, a year with one of 1, which begins where it drifts fastest (.017 a day).
- **Whole application**: {len(MANY)} slices, {COLUMNS} columns, shock, week and season of each column drawn up to .3,
  .4, 1; any finding that is active on any day of the year. One such year takes seconds, hence fewer.
- Both take their cuts anew at each look, as the flow does. With cuts fixed for all days the one column gave 3.3%
  (2.3% to 4.6%) of 1,000 instead, measured before the limit on how far a trend may carry a small share.
- Before the expectation followed the drift of the reference days, 18.9% (17.2% to 20.6%) of 2,000 alarmed in the second
  row: the expectation was 20 days old, and "two of five" met its bias again every day. Three things changed: a
  trend, drawn to none where the slices and shares show none; the noise of a share is the one of where it has drifted
  to; and "two of five" is charged for the two days' common expectation.
- **Power**: default budget of a year, shared by {LOOKS:,} looks a day (20 slices and all rows, 15 columns). Values are
  normal (10, 2); minutes of the day normal (840, 260) cut to 5:00 to 23:59, + 240 modulo 1,440. 20 times as many rows
  lie outside the slice. "Not found": not within 14 days.
- Intervals: Clopper-Pearson for shares, order statistics for medians.
- A change of scale by 10% moves a narrow distribution by half a standard deviation; of a wide one it moves less and is
  found later or never (`min_effect` .1). A fault that leaves every marginal share as it was (a sign flipped on a
  symmetric column) cannot be seen without labels; the paired monitor sees it.

On real rows: [the detector on the flights](faults_flights.md).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="deployments; power: a tenth, full: a fortieth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(EXPERIMENTS), help="print these and write nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    console, start = Console(), time.perf_counter()
    names = arguments.only or list(EXPERIMENTS)
    found = {
        name: EXPERIMENTS[name](arguments.runs, np.random.default_rng([arguments.seed, list(EXPERIMENTS).index(name)]))
        for name in names
    }
    lines = [line for name in names for line in found[name]]
    console.print(table(lines))
    if arguments.only:
        return
    minutes = (time.perf_counter() - start) / 60
    arguments.out.mkdir(parents=True, exist_ok=True)
    plot(found["power"], arguments.out / "faults.png")
    text = document(lines, arguments.runs, arguments.seed, minutes)
    (arguments.out / "faults.md").write_text(text, encoding="utf-8")
    console.print("wrote faults.md, faults.png")


if __name__ == "__main__":
    main()
