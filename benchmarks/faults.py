"""How often the default detector of data faults is wrong, and how fast it is right: simulated on its public class.

    nice -n 19 python benchmarks/faults.py --runs 2000 --years 400 [--minutes 30]

Writes docs/results/faults.md and a plot beside it. Stopped, it goes on where it was (`pieces.py`); `--minutes` ends it
early and writes what is there.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import pieces
from faults_quiet import LABELS, World, alarmed, draw
from faults_report import plot, write
from operating_report import Line, median, share, table
from rich.console import Console

from continual.core.stats.jump_counts import QUANTILES, SPECIAL
from continual.detectors.base import DETECTORS, ColumnDays

Floats = np.ndarray
ROOTS = ("faults", "faults_quiet", "continual.detectors.jump", "continual.core.stats.jump_counts")
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


WORLDS = (World("independent", 0.0, 0.0, 0.0), World("day shocks, week, season", 0.3, 0.4, 1.0, phase=0))


def quiet(found: pieces.Pieces) -> list[Line]:
    """One column without a fault: any alarm in SCAN days, at a budget of 5% for just those looks."""
    text = f"One column, overall + {len(SLICES)} slices of {SLICES[0]} to {SLICES[-1]} rows a day, {SCAN} daily looks"
    out = []
    for world in WORLDS:
        hits = found.run(f"quiet, {world.name}", _half_year(world), size=BATCH)
        out.append(share(f"{text}, alpha 5% for just these: a false alarm", world.name, hits, -0.05))
    return out


def _half_year(world: World) -> pieces.Work:
    detector, looks = DETECTORS.get("jump")(horizon_days=SCAN), (len(SLICES) + 1) * len(LABELS)

    def work(rng: np.random.Generator, n: int) -> list[bool]:
        drawn = draw(rng, detector.history_days + SCAN, n, SLICES, world)
        return [bool(hit) for hit in alarmed(detector, drawn, looks)]

    return work


def full(found: pieces.Pieces, years: int) -> list[Line]:
    """Whole applications for a year at the default budget, each column with a world of its own."""
    text = (
        f"{COLUMNS} columns, overall + {len(MANY)} slices of {MANY[0]} to {MANY[-1]} rows a day, a year of daily looks"
    )
    hits = found.run("whole applications", _years, years, size=5)
    return [share(f"{text}, default budget: any false alarm", "shocks, weeks, seasons mixed", hits, -0.05)]


def _years(rng: np.random.Generator, n: int) -> list[bool]:
    detector, out = DETECTORS.get("jump")(), []
    for _ in range(n):
        world = World("mixed", rng.uniform(0, 0.3, COLUMNS), rng.uniform(0, 0.4, COLUMNS), rng.uniform(0, 1, COLUMNS))
        drawn = draw(rng, detector.history_days + YEAR, COLUMNS, MANY, world)
        out.append(bool(alarmed(detector, drawn, (len(MANY) + 1) * COLUMNS * len(LABELS)).any()))
    return out


def base(rng: np.random.Generator, fault: str, n: int) -> tuple[Floats, Floats]:
    """Usual values and faulty ones of the same column, in large samples."""
    if fault.startswith("clock"):
        usual = np.clip(rng.normal(840, 260, n), 300, 1439)
        return usual, (usual + 240) % 1440
    usual = rng.normal(10, 2, n)
    return usual, usual * {"inches to centimetres": 2.54, "scale 1.1": 1.1}.get(fault, 1.0)


def power(found: pieces.Pieces) -> list[Line]:
    """Days to the finding of a fault in one slice, default budget over a whole deployment."""
    out = []
    for fault in FAULTS:
        for n in SIZES:
            text = f"{fault}, slice of {n:,} rows a day: median days to the finding"
            out.append(median(text, "day shocks", found.run(f"{fault}, {n} rows", _waits(fault, n), size=BATCH)))
    return out


def _waits(fault: str, rows: int) -> pieces.Work:
    def work(rng: np.random.Generator, n: int) -> list[float]:
        column = faulty_column(rng, fault, rows, n)
        return [float(day) + 1 for day in first_alarm(DETECTORS.get("jump")(), column, LOOKS)[:, 1]]

    return work


def faulty_column(rng: np.random.Generator, fault: str, n: int, runs: int = BATCH) -> ColumnDays:
    """The slice, from day PAST on faulty, and 20 times its rows besides; shocks of .1 sd each day, own .03."""
    shape, days = (PAST + 14, runs), PAST + 14
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    pieces.add_options(parser)
    parser.add_argument("--years", type=int, default=400, help="simulated years of whole applications, 5 CPU-s each")
    arguments = parser.parse_args()
    with pieces.Pieces(ROOTS, arguments) as found:
        quiet_lines, power_lines = quiet(found), power(found)
        lines = [*quiet_lines, *full(found, arguments.years), *power_lines]
    Console().print(table(lines))
    plot(power_lines, FAULTS, SIZES)
    write(lines, f"--runs {arguments.runs} --years {arguments.years} --seed {arguments.seed}", SCAN, LOOKS)


if __name__ == "__main__":
    main()
