"""The goals that concern estimates, each simulated at least 2,000 times, as a table of docs/results/estimators.md.

    nice -n 10 python benchmarks/estimators_goals.py --runs 2000 --write

Windows are those of `benchmarks/estimators.py`. Before labels are chosen, the model's confidence f is recalibrated on
2,000 labels of an earlier, matured window of the same world (`estimators/_calibrate.py`). `flows/estimate.py` does that
for estimates; the sampler `uncertainty` does not yet: it chooses by the score as it is. 80% of
about 1,000 labels are then chosen by .3 uniform + .7 sqrt(f(1-f)), 20% uniformly.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from estimators import DAYS, LABELS, RESULTS, ROWS, WORLDS, Window, World, inclusion_probabilities, mixture
from estimators_page import GAIN, METRIC_WORLDS, PAIRED_ROWS, PAST, TARGETS, Sample, page, write

from continual.estimators._calibrate import recalibrate
from continual.estimators._choose import compare, estimate
from continual.estimators._paired import paired
from continual.estimators.base import ESTIMATORS
from continual.flows.surrogates import Served, estimated
from continual.metrics.base import METRICS

LARGE = ("all", "A", "B", "C")
SPECS = (
    {"kind": "roc_auc"},
    {"kind": "f1", "threshold": 0.3},
    {"kind": "log_loss"},
)
#: Comparison: share of rows on which the two models differ, labels of the uniform design, 10 times fewer chosen.
DISAGREE, UNIFORM, FEWER = 0.08, 4000, 10


def recalibrated(window: Window, world: World, rng: np.random.Generator) -> np.ndarray:
    """(N,) the window's confidence, corrected by an earlier window's labels."""
    past = Window(world, rng, PAST)
    return recalibrate(past.surrogate, past.loss, 1 - past.loss)(window.surrogate)


def drawn(window: Window, confidence: np.ndarray, pi: np.ndarray, rng: np.random.Generator):
    """Poisson labels of a design."""
    evidence = window.evidence(rng.random(len(pi)) < pi, pi)
    return replace(evidence, surrogate=confidence)


def optimum(window: Window, world: World) -> float:
    """Half width of the Neyman allocation for the same surrogate: true chance given f, shocks of days not foreseen."""
    logit = np.log(window.surrogate / (1 - window.surrogate))
    nodes, mass = np.polynomial.hermite_e.hermegauss(15)
    shock = world.shock * nodes[:, None]
    chance = (mass / mass.sum()) @ (1 / (1 + np.exp(-(world.shift + world.slope * logit + shock))))
    variance = chance * (1 - chance)
    pi = inclusion_probabilities(np.sqrt(variance), LABELS)
    return 1.96 * float(np.sqrt(np.sum((1 / pi - 1) * variance))) / len(variance)


def means(job: tuple[int, int, int, int]) -> Sample:
    """Coverage and width of the automatic choice for the error rate."""
    number, runs, seed, part = job
    world, rng, out = WORLDS[number], np.random.default_rng([seed, number, part, 1]), {}
    endless = traffic(world, error_rate)
    hajek, ppi = (ESTIMATORS.get(kind)(target="window") for kind in ("hajek", "ppi_pp"))
    flat = np.full(ROWS, LABELS / ROWS)
    for _ in range(runs):
        window = Window(world, rng)
        confidence = recalibrated(window, world, rng)
        chosen = drawn(window, confidence, mixture(confidence), rng)
        for name in LARGE:
            member = window.slices[name]
            truth = {"window": window.loss[member].mean(), "traffic": endless[name]}
            for target in TARGETS:
                found = estimate(chosen, None if name == "all" else member, target)
                put(out, (world.name, "mean", target, name), found.low <= truth[target] <= found.high)
                if (target, name) == ("window", "all"):
                    put(out, (world.name, "width"), found.high - found.low)
        uniform = drawn(window, confidence, flat, rng)
        every = drawn(window, confidence, mixture(confidence, chosen=1.0), rng)
        put(out, (world.name, "width all chosen"), width(ppi.estimate(every)))
        put(out, (world.name, "width uniform"), width(hajek.estimate(uniform)))
        put(out, (world.name, "width uniform + f"), width(ppi.estimate(uniform)))
        put(out, (world.name, "width optimum"), 2 * optimum(window, world))
    return out


def width(found) -> float:
    return found.high - found.low


def put(out: Sample, key: tuple[str, ...], value: float) -> None:
    out.setdefault(key, []).append(float(value))


def error_rate(window: Window, member: np.ndarray, chance: np.ndarray) -> float:
    return float(chance[member].mean())


def traffic(world: World, truth: Callable, windows: int = 6) -> dict[str, float]:
    """`truth(window, member, chance)` of endless traffic by slice; every row gets its own shock."""
    rng, found = np.random.default_rng(999), []
    for _ in range(windows):
        window = Window(replace(world, shock=0.0), rng, 200_000)
        odds = window.chance / (1 - window.chance)
        odds = odds * np.exp(rng.normal(0, world.shock, len(odds)) if world.shock else 0.0)
        chance = odds / (1 + odds)
        found.append({name: truth(window, window.slices[name], chance) for name in LARGE})
    return {name: float(np.mean([each[name] for each in found])) for name in LARGE}


def metric_of(spec: dict) -> object:
    return METRICS.build({"owner": "simulation", **spec})


def in_full(metric) -> Callable:
    """The metric's value on rows with every label, for slices of a window of 200,000."""

    def truth(window: Window, member: np.ndarray, chance: np.ndarray) -> float:
        y = (np.random.default_rng(5).random(len(chance)) < chance).astype(float)
        served = Served(y[member], window.surrogate[member], None, window.day[member], None)
        return metric.estimate(served.rows(), served.score).value

    return truth


def plugged_in(job: tuple[int, int, int, int]) -> Sample:
    """Coverage of metrics that are no mean: f is the score, the row's error its label."""
    number, runs, seed, part = job
    world, rng, out = WORLDS[number], np.random.default_rng([seed, number, part, 2]), {}
    metrics = [metric_of(spec) for spec in SPECS]
    endless = {metric.kind: traffic(world, in_full(metric), 4) for metric in metrics}
    for _ in range(runs):
        window = Window(world, rng)
        confidence = recalibrated(window, world, rng)
        pi = mixture(confidence)
        y = np.where(rng.random(ROWS) < pi, window.loss, np.nan)
        served = Served(y, window.surrogate, confidence, window.day, pi)
        whole = Served(window.loss, window.surrogate, None, window.day, None)
        for name in LARGE:
            member = window.slices[name]
            full = whole.only(member)
            for metric in metrics:
                truth = {
                    "window": metric.estimate(full.rows(), full.score).value,
                    "traffic": endless[metric.kind][name],
                }
                for target in TARGETS:
                    found = estimated(metric, served, member, target)
                    hit = found.defined and found.low <= truth[target] <= found.high
                    put(out, (world.name, metric.kind, target, name), hit)
    return out


def comparisons(job: tuple[int, int, int, int]) -> Sample:
    """Chosen labels on disagreements against 10 times as many uniform ones: power and coverage, window and traffic."""
    _, runs, seed, part = job
    rng, out = np.random.default_rng([seed, part, 3]), {}
    for _ in range(runs):
        agree = rng.random(PAIRED_ROWS) >= DISAGREE
        right = np.clip(rng.normal(0.5 + GAIN / DISAGREE / 2, 0.15, PAIRED_ROWS), 0.02, 0.98)
        candidate = np.where(agree, 0.0, rng.random(PAIRED_ROWS) >= right)
        champion = np.where(agree, 0.0, 1 - candidate)
        day, truth = rng.integers(0, DAYS, PAIRED_ROWS), float(np.mean(champion - candidate))
        designs = {
            "chosen": (agree, np.where(agree, 1e-6, UNIFORM / FEWER / (~agree).sum())),
            "uniform": (np.zeros(PAIRED_ROWS, bool), np.full(PAIRED_ROWS, UNIFORM / PAIRED_ROWS)),
        }
        for name, (known, pi) in designs.items():
            seen = rng.random(PAIRED_ROWS) < pi
            losses = (np.where(seen, loss, np.nan) for loss in (champion, candidate))
            evidence = paired(*losses, known, day, probability=pi, reach=1.0)
            put(out, ("paired", name, "labels"), seen.sum() if name == "uniform" else (seen & ~agree).sum())
            for target, value in (("window", truth), ("traffic", GAIN)):
                found = compare(evidence, target)
                put(out, ("paired", name, target, "covered"), found.low <= value <= found.high)
                put(out, ("paired", name, target, "power"), found.low > 0)
                put(out, ("paired", name, target, "variance"), found.se**2)
    return out


def jobs(runs: int, seed: int, parts: int) -> list[tuple[Callable, tuple[int, int, int, int]]]:
    each = -(-runs // parts)
    named = [i for i, world in enumerate(WORLDS) if world.name in METRIC_WORLDS]
    plan = [(plugged_in, named), (means, range(len(WORLDS))), (comparisons, [0])]
    return [(work, (i, each, seed, part)) for work, numbers in plan for i in numbers for part in range(parts)]


def _call(item: tuple[Callable, tuple[int, int, int, int], Path | None]) -> Sample:
    """A job's sample; one that is kept already is read, so that a run that was stopped goes on."""
    work, job, folder = item
    path = folder and folder / f"{work.__name__}-{'-'.join(map(str, job))}.pickle"
    if path and path.exists():
        return pickle.loads(path.read_bytes())
    found = work(job)
    if path:
        path.write_bytes(pickle.dumps(found))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for samples of finished jobs: start again, and they are read")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    sample: Sample = {}
    todo = jobs(arguments.runs, arguments.seed, 4 if arguments.runs >= 100 else 1)
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    todo = [(*job, arguments.keep) for job in todo]
    with multiprocessing.Pool(arguments.workers) as pool:
        for done, found in enumerate(pool.imap_unordered(_call, todo), start=1):
            for key, values in found.items():
                sample.setdefault(key, []).extend(values)
            print(f"{done} of {len(todo)}", flush=True)
    text = page(sample, arguments.runs, arguments.seed)
    print(text)
    if arguments.write:
        write(text, RESULTS)


if __name__ == "__main__":
    main()
