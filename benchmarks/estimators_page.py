"""The page of `benchmarks/estimators_goals.py`: every goal, what was measured, and whether that meets it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from estimators import CHOSEN, LABELS, ROWS, WORLDS

METRIC_WORLDS = ("independent, calibrated", "independent, overconfident", "day-clustered, overconfident")
TARGETS = ("window", "traffic")
PAST, PAIRED_ROWS, GAIN = 2000, 40_000, 0.01
BEGIN, END = "<!-- goals: benchmarks/estimators_goals.py -->", "<!-- /goals -->"
Sample = dict[tuple[str, ...], list[float]]


@dataclass(frozen=True)
class Range:
    """A share over runs with its 95% simulation error, worst of several."""

    text: str
    low: float
    high: float


def share(values: list[float]) -> tuple[float, float]:
    p = float(np.mean(values))
    return p, 1.96 * float(np.sqrt(max(p * (1 - p), 1e-9) / len(values)))


def worst(sample: Sample, keys: list[tuple[str, ...]]) -> Range:
    found = {key: share(sample[key]) for key in keys}
    least, most = min(found, key=lambda k: found[k][0]), max(found, key=lambda k: found[k][0])
    text = " .. ".join(f"{found[k][0]:.1%} ± {found[k][1]:.1%} ({', '.join(k)})" for k in (least, most))
    return Range(text, found[least][0], found[most][0])


def ratio(sample: Sample, world: str, above: str, below: str) -> tuple[float, float]:
    """Ratio of mean widths with its 95% simulation error."""
    a, b = (np.array(sample[world, name]) for name in (above, below))
    r = a.mean() / b.mean()
    return float(r), 1.96 * float(np.std(a - r * b) / b.mean() / np.sqrt(len(a)))


def table(sample: Sample) -> list[str]:
    """Rows: goal, measured, met."""
    out = []
    for kind in dict.fromkeys(key[1] for key in sample if len(key) == 4 and key[0] != "paired"):
        for target in TARGETS:
            keys = [key for key in sample if key[1] == kind and key[2:3] == (target,)]
            found = worst(sample, keys)
            what = "error rate" if kind == "mean" else kind
            goal = f"95% interval of {what} for the {target} covers 93-97%, overall and in A, B, C"
            out.append(row(goal, found.text, found.low >= 0.93 and found.high <= 0.97))
    for world in WORLDS:
        r, e = ratio(sample, world.name, "width all chosen", "width optimum")
        r80, _ = ratio(sample, world.name, "width", "width optimum")
        text = f"{r:.3f} ± {e:.3f}; 80% chosen {r80:.3f}"
        out.append(row(f"width / Neyman optimum of the same surrogate <= 1.05, {world.name}", text, r <= 1.05))
    for world in WORLDS:
        r, e = ratio(sample, world.name, "width", "width uniform")
        other, _ = ratio(sample, world.name, "width", "width uniform + f")
        text = f"{r:.3f} ± {e:.3f}; against uniform with the same surrogate {other:.3f}"
        out.append(row(f"width / uniform labels at equal budget <= 1.02, {world.name}", text, max(r, other) <= 1.02))
    return out + comparison_rows(sample)


def comparison_rows(sample: Sample) -> list[str]:
    out = []
    for target in TARGETS:
        chosen, uniform = (share(sample["paired", name, target, "power"]) for name in ("chosen", "uniform"))
        labels = {name: np.mean(sample["paired", name, "labels"]) for name in ("chosen", "uniform")}
        fewer = labels["uniform"] / labels["chosen"]
        text = (
            f"power {chosen[0]:.1%} ± {chosen[1]:.1%} with {labels['chosen']:.0f} labels on disagreements, "
            f"{uniform[0]:.1%} ± {uniform[1]:.1%} with {labels['uniform']:.0f} uniform ones ({fewer:.1f} times as many)"
        )
        goal = f"8% disagreement, {target}: 10 times fewer labels at equal power"
        out.append(row(goal, text, chosen[0] >= uniform[0] and fewer >= 9.9))
        found = worst(sample, [("paired", "chosen", target, "covered")])
        text = found.text.split(" .. ")[0]
        out.append(row(f"its 95% interval covers 93-97%, {target}", text, found.low >= 0.93 and found.high <= 0.97))
    return out


def row(goal: str, text: str, met: bool) -> str:
    return f"| {goal} | {text} | {'yes' if met else '**no**'} |"


def page(sample: Sample, runs: int, seed: int) -> str:
    lines = [
        BEGIN,
        "## Goals\n",
        f"`python benchmarks/estimators_goals.py --runs {runs} --seed {seed} --write` wrote this section: {runs:,} "
        f"simulated windows per world and goal, {ROWS:,} rows, about {LABELS:,} labels, {CHOSEN:.0%} of them "
        f"chosen; the automatic choice (`estimators/_choose.py`), f recalibrated on {PAST:,} matured labels "
        "first; ± is the 95% simulation error. AUC, F1 (threshold .3), log-loss: pseudo-labels "
        "plugged in "
        f"(`estimators/_plugged.py`), in the worlds {'; '.join(METRIC_WORLDS)}. Comparison: {PAIRED_ROWS:,} rows, true "
        f"gain {100 * GAIN:g} point. The choice of labels, too, uses the recalibrated f, as the samplers "
        "do. Met is judged by the measured value itself, not by its error.\n",
        "| goal | measured (worst .. best where several) | met |\n|---|---|---|",
        *table(sample),
        END,
    ]
    return "\n".join(lines)


def write(text: str, path: Path) -> None:
    """Puts the section after the page's first paragraph, or where it was."""
    old = path.read_text(encoding="utf-8")
    if BEGIN in old:
        new = re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: text, old, flags=re.DOTALL)
    else:
        new = old.rstrip("\n") + "\n\n" + text + "\n"
    path.write_text(new, encoding="utf-8")
