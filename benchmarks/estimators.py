"""How honest and how narrow the estimators are on simulated windows: coverage, width, effective labels.

    python benchmarks/estimators.py --runs 2000 --seed 0

A window has 6,000 rows on 20 days and about 1,000 labels. The model gives each row a chance of error f (its own
calibrated confidence); the row is wrong with the true chance. 80% of the labels are chosen by .3 uniform + .7
sqrt(f(1-f)), 20% uniformly; every row's inclusion probability is recorded. Writes docs/results/estimators.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from continual.estimators.base import ESTIMATORS, Draws, Estimator, Evidence
from continual.samplers._designs import inclusion_probabilities

ROWS, DAYS, LABELS, CHOSEN = 6000, 20, 1000, 0.8
#: Share of rows of each slice and its error in the calibrated world; the last has about 50 labels.
SLICES = {"A": (0.40, 0.22), "B": (0.30, 0.10), "C": (0.25, 0.30), "small": (0.05, 0.15)}
TARGETS = ("window", "traffic")
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "estimators.md"


@dataclass(frozen=True)
class World:
    """How rows really go wrong: logit(true) = shift + slope logit(f) + a shock shared by the day's rows."""

    name: str
    shock: float = 0.0
    shift: float = 0.0
    slope: float = 1.0


WORLDS = [
    World("independent, calibrated"),
    World("independent, overconfident", shift=0.6, slope=0.6),
    World("independent, useless confidence", shift=-1.2, slope=0.0),
    World("day-clustered, calibrated", shock=0.4),
    World("day-clustered, overconfident", shock=0.4, shift=0.6, slope=0.6),
]


class Window:
    """One window of a world: rows, true chances, losses, and the truth the intervals are about."""

    def __init__(self, world: World, rng: np.random.Generator, rows: int = ROWS) -> None:
        names = list(SLICES)
        share, error = (np.array([SLICES[s][j] for s in names]) for j in (0, 1))
        which = rng.choice(len(names), rows, p=share)
        mean = error[which]
        self.surrogate = np.clip(rng.beta(3 * mean, 3 * (1 - mean)), 0.002, 0.998)
        self.day = rng.integers(0, DAYS, rows)
        logit = np.log(self.surrogate / (1 - self.surrogate))
        shock = rng.normal(0, world.shock, DAYS)[self.day] if world.shock else 0.0
        self.chance = 1 / (1 + np.exp(-(world.shift + world.slope * logit + shock)))
        self.loss = (rng.random(rows) < self.chance).astype(float)
        self.slices = {"all": np.ones(rows, bool)} | {s: which == i for i, s in enumerate(names)}

    def evidence(self, labelled: np.ndarray, probability: np.ndarray | None) -> Evidence:
        """What an evaluation sees."""
        observed = np.where(labelled, self.loss, np.nan)
        return Evidence(observed, self.day, self.surrogate, probability, lowest=0.0, highest=1.0)


def mixture(surrogate: np.ndarray, labels: float = LABELS, chosen: float = CHOSEN) -> np.ndarray:
    """Recorded inclusion probability: share `chosen` of the budget by .3 uniform + .7 sqrt(f(1-f)), the rest uniform.

    Two independent draws, pi = 1 - (1 - pi_1)(1 - pi_2); a row that both take costs one label.
    """
    n, spread = len(surrogate), np.sqrt(surrogate * (1 - surrogate))
    first = inclusion_probabilities(0.3 / n + 0.7 * spread / spread.sum(), round(chosen * labels))
    second = (labels - first.sum()) / np.sum(1 - first)
    return 1 - (1 - first) * (1 - second)


def sequence(window: Window, rng: np.random.Generator, labels: int = LABELS) -> Evidence:
    """The same preference, drawn one row after the other without replacement."""
    n, spread = len(window.loss), np.sqrt(window.surrogate * (1 - window.surrogate))
    weight = 0.44 / n + 0.56 * spread / spread.sum()
    order = np.argsort(rng.exponential(size=n) / weight)[:labels]  # successive sampling
    left = weight.sum() - (np.cumsum(weight[order]) - weight[order])
    step, proposal = np.zeros(n, dtype=np.int64), np.full(n, np.nan)
    step[order], proposal[order] = np.arange(1, labels + 1), weight[order] / left
    return replace(window.evidence(step > 0, None), draws=Draws(step, proposal, n, labels))


def traffic_truth(world: World) -> dict[str, float]:
    """Mean loss of endless traffic, by slice; every row gets its own shock."""
    rng, sums = np.random.default_rng(12345), []
    for _ in range(20):
        window = Window(replace(world, shock=0.0), rng, 200_000)
        odds = window.chance / (1 - window.chance)
        odds = odds * np.exp(rng.normal(0, world.shock, len(odds)) if world.shock else 0.0)
        sums.append({s: float(np.mean((odds / (1 + odds))[m])) for s, m in window.slices.items()})
    return {s: float(np.mean([row[s] for row in sums])) for s in sums[0]}


def best_sd(window: Window, labels: int = LABELS) -> float:
    """Smallest design standard deviation any choice and estimator could have with the true chances known."""
    variance = window.chance * (1 - window.chance)
    pi = inclusion_probabilities(np.sqrt(variance), labels)
    return float(np.sqrt(np.sum((1 / pi - 1) * variance)) / len(variance))


class Scores:
    """Sums of what happened, by (estimator, target, slice)."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], list[tuple[float, float, float]]] = {}

    def add(self, name: str, target: str, slice_: str, found, truth: float) -> None:
        if found.defined:
            row = (float(found.low <= truth <= found.high), found.high - found.low, found.value - truth)
            self.rows.setdefault((name, target, slice_), []).append(row)

    def of(self, *key: str) -> dict[str, float]:
        table = np.array(self.rows[key])
        return {
            "coverage": table[:, 0].mean(),
            "width": table[:, 1].mean(),
            "bias": table[:, 2].mean(),
            "se": table[:, 2].std() / np.sqrt(len(table)),
            "mse": np.mean(table[:, 2] ** 2),
            "runs": len(table),
        }


def contenders() -> dict[str, type[Estimator]]:
    """Every estimator of the family by kind."""
    return {kind: ESTIMATORS.get(kind) for kind in ESTIMATORS.kinds}


def run_once(world: World, rng: np.random.Generator, scores: Scores, endless: dict[str, float]) -> float:
    """One window, judged by every estimator, for both targets, in every slice; returns the optimum sd."""
    window = Window(world, rng)
    pi = mixture(window.surrogate)
    flat = np.full(ROWS, LABELS / ROWS)
    sharp = mixture(window.surrogate, chosen=1.0)
    poisson = window.evidence(rng.random(ROWS) < pi, pi)
    all_chosen = window.evidence(rng.random(ROWS) < sharp, sharp)
    uniform = window.evidence(rng.random(ROWS) < flat, flat)
    views = {
        "complete": window.evidence(np.ones(ROWS, bool), None),
        "cbpe": window.evidence(np.zeros(ROWS, bool), None),
        "lure": sequence(window, rng),
    }
    tried = [(kind, cls, views.get(kind, poisson)) for kind, cls in contenders().items()]
    hajek, ppi = ESTIMATORS.get("hajek"), ESTIMATORS.get("ppi_pp")
    tried += [("uniform", hajek, uniform), ("uniform + ppi_pp", ppi, uniform), ("all chosen + ppi_pp", ppi, all_chosen)]
    for s, member in window.slices.items():
        truth = {"window": float(window.loss[member].mean()), "traffic": endless[s]}
        naive = poisson.observed[poisson.labelled & member].mean()
        scores.rows.setdefault(("naive mean", "window", s), []).append((np.nan, np.nan, naive - truth["window"]))
        for name, cls, evidence in tried:
            for target in TARGETS:
                estimator = cls(kind=cls.model_fields["kind"].default, target=target)
                whole = s == "all"
                found = estimator.estimate(evidence) if whole else estimator.estimate_slice(evidence, member)
                scores.add(name, target, s, found, truth[target])
    return best_sd(window)


def table_of(scores: Scores, optimum: float) -> list[list[str]]:
    """Rows of the report for one world."""
    uniform = scores.of("uniform", "window", "all")
    out = []
    for name in ["uniform", "uniform + ppi_pp", "all chosen + ppi_pp", *contenders()]:
        window, traffic = (scores.of(name, target, "all") for target in TARGETS)
        exact = window["mse"] < 1e-20
        cells = [name, "exact" if exact else f"{window['coverage']:.1%}", f"{traffic['coverage']:.1%}"]
        for s in SLICES:
            cells += [" / ".join(f"{scores.of(name, target, s)['coverage']:.1%}" for target in TARGETS)]
        cells += [f"{100 * window['bias']:+.3f} ± {196 * window['se']:.3f}"]
        free = name in ("complete", "cbpe")
        cells += ["" if free else f"{window['width'] / uniform['width']:.3f}"]
        cells += ["" if free else f"{uniform['mse'] / window['mse']:.2f}"]
        cells += ["" if free else f"{np.sqrt(window['mse']) / optimum:.3f}"]
        out.append(cells)
    return out


HEAD = ["estimator", "window", "traffic", *(f"{s} (w / t)" for s in SLICES), "bias, points", "width", "eff. labels",
        "sd / optimum"]  # fmt: skip


def explain(runs: int, seed: int) -> str:
    """The text above the tables."""
    noise = 196 * np.sqrt(0.95 * 0.05 / runs)
    return f"""# Estimators: coverage and width, measured

`python benchmarks/estimators.py --runs {runs} --seed {seed}` wrote this page: {runs} simulated windows per world,
{ROWS:,} rows on {DAYS} days, about {LABELS:,} labels, {CHOSEN:.0%} of them chosen by .3 uniform + .7 sqrt(f(1-f)).
f is the model's own expected error. Slices A, B, C hold 40%, 30%, 25% of the rows (more than 200 labels each), `small`
5% (about 50 labels). Nominal coverage is 95%; with {runs} runs it is measured to ± {noise:.1f} points.

- **window**, **traffic**: coverage of the mean of these rows, and of endless traffic of the kind (w / t in slices).
- **bias**: mean error for the window, in percentage points, with its 95% simulation error.
- **width**: mean width of the window's interval relative to uniform labels at equal budget (Hajek, first row).
- **eff. labels**: how many uniform labels one of these labels is worth (ratio of mean squared errors).
- **sd / optimum**: root mean squared error relative to the smallest design standard deviation that any choice of as
  many labels has when every row's true chance of error is known.
- `all chosen`: 100% instead of 80% of the labels by the mixture, which is the sampler `uncertainty`.
- `complete` has every label, `cbpe` none. `lure` draws one after the other with the same preference.
"""


def report(world: World, scores: Scores, optimum: float) -> str:
    """A world's section in Markdown."""
    lines = [f"\n## {world.name[0].upper()}{world.name[1:]}\n", f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in table_of(scores, optimum)]
    naive = {s: 100 * scores.of("naive mean", "window", s)["bias"] for s in ["all", *SLICES]}
    lines += ["", "Naive mean of the chosen labels, bias in points: "]
    lines[-1] += ", ".join(f"{s} {bias:+.1f}" for s, bias in naive.items()) + "."
    return "\n".join(lines) + "\n"


def show(console: Console, world: World, scores: Scores, optimum: float) -> None:
    """A world's table on the terminal."""
    table = Table(*HEAD, title=world.name)
    for row in table_of(scores, optimum):
        table.add_row(*row)
    console.print(table)


def goals_of(path: Path) -> str:
    """The section that `estimators_goals.py` wrote, kept."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    at = old.find("<!-- goals:")
    return "\n" + old[at:] if at >= 0 else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="windows per world")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    console, text = Console(), explain(arguments.runs, arguments.seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        for number, world in enumerate(WORLDS):
            task = progress.add_task(world.name, total=arguments.runs)
            rng, scores, endless = np.random.default_rng([arguments.seed, number]), Scores(), traffic_truth(world)
            best = []
            for _ in range(arguments.runs):
                best.append(run_once(world, rng, scores, endless))
                progress.advance(task)
            show(console, world, scores, float(np.mean(best)))
            text += report(world, scores, float(np.mean(best)))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text + goals_of(arguments.out), encoding="utf-8")
    console.print(f"wrote {arguments.out.name}")


if __name__ == "__main__":
    main()
