"""The page and the plot of the label benchmark, from its finished pieces."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

GAP, WORSE = 0.5, 0.3
UNITS = {"capital_bikeshare": "R2", "storms": "accuracy"}


def pieces(options: argparse.Namespace, name: str, learner: str, sampler: str) -> list[dict[str, Any]]:
    """By seed, as far as they are finished."""
    stem = f"{name}-{learner}-{sampler}-{options.share:g}-{options.rounds}"
    files = [options.out / f"{stem}-{seed}.json" for seed in range(options.seeds)]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def means(found: list[dict[str, Any]]) -> np.ndarray:
    return np.array([np.mean(piece["scores"]) for piece in found])


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half width of its 95% interval over seeds; infinite from one seed."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
    return float(values.mean()), float(half)


def compared(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each stream, learner and sampler that has finished pieces."""
    out = []
    for name in options.sets:
        full = {m: means(found)[0] for m in options.learners if (found := pieces(options, name, m, "full"))}
        trees = float(full.get("trees", np.nan))
        for learner, top in full.items():
            uniform = means(pieces(options, name, learner, "uniform"))
            for sampler in options.samplers:
                found = pieces(options, name, learner, sampler)
                if found:
                    row = _row(found, sampler, uniform, float(top), trees)
                    out.append({"set": name, "learner": learner, **row})
    return out


def _row(found: list[dict[str, Any]], sampler: str, uniform: np.ndarray, full: float, trees: float) -> dict[str, Any]:
    """full: the same learner with all labels; trees: the trees with all labels."""
    own, errors = means(found), [abs(e) for piece in found for e in piece["errors"]]
    n = min(len(own), len(uniform))
    return {
        "sampler": sampler,
        "full": full,
        "seeds": len(own),
        "labels": 100 * float(np.mean([p["labels"] / p["rows"] for p in found])),
        "own": interval(own),
        "gap": full - float(own.mean()),
        "to_trees": float(own.mean()) - trees,
        "against": interval(own[:n] - uniform[:n]) if n and sampler != "uniform" else None,
        "error": float(np.mean(errors)) if errors else None,
    }


def page(options: argparse.Namespace) -> str:
    rows = compared(options)
    lines = [
        "# A tenth of the labels",
        "",
        f"`python benchmarks/label_efficiency.py --data <folder> --share {options.share:g} --rounds {options.rounds} "
        f"--seeds {options.seeds} --samplers {' '.join(options.samplers)} --learners {' '.join(options.learners)} "
        f"--write` wrote this page. Each stream in {options.rounds} rounds; the chosen labels of a round first "
        "estimate how good the model is, then train it; the model is scored on all rows of the next round (from the "
        "fourth on). AUC in points, of storms accuracy, of capital_bikeshare R2. Learners: `trees` are small boosted "
        "trees, `blend` is `continual.models.blend`, the same trees averaged with a regression, `taught` is the blend "
        "with `self_training`, which learns from rows without a label, too (classes only). ± is the 95% interval "
        "over seeds (draws of labels). Short: points below the same learner with all labels. To trees: points above "
        f"the trees with *all* labels. Goals: short by at most {GAP}, and never worse than uniform by more than "
        f"{WORSE}. Estimate off: mean absolute error, in points, of the accuracy that the same labels estimate "
        f"(binary).{_stopped(rows, options.seeds)}",
        "",
        "| stream | learner | sampler | labels | all labels | chosen labels | short | within 0.5 | to trees | "
        "minus uniform | not worse | estimate off | seeds |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_line(row) for row in rows), *TAIL])


TAIL = (
    "",
    "![](label_efficiency.png)",
    "",
    "Goals: `yes` and `no` where the whole interval is on one side, `yes?` and `no?` where only the mean over seeds "
    "is. Fewer labels than all can be better where old rows mislead. The default sampler spends labels on slices and "
    "on rows where two models differ; the price is the accuracy of the whole: where `estimate off` is larger than for "
    "uniform, use `uniform` if one number for all rows is what the labels are for. Whether the other streams allow it "
    "at all: [everything tried, in hindsight](label_bound.md); with how many labels they do: [labels "
    "a stream needs](label_frontier.md).",
    "",
)


def _stopped(rows: list[dict[str, Any]], seeds: int) -> str:
    fewer = any(row["seeds"] < seeds for row in rows)
    return " Rows with fewer seeds are from a run that was stopped; one seed has no interval." if fewer else ""


def spread(half: float) -> str:
    return f" ± {half:.2f}" if np.isfinite(half) else ""


def judged(value: float, half: float, limit: float) -> str:
    """Whether `value` <= `limit`, and whether the interval leaves a doubt."""
    doubt = "" if abs(value - limit) > half else "?"
    return f"yes{doubt}" if value <= limit else f"**no{doubt}**"


def _line(row: dict[str, Any]) -> str:
    against, (own, half) = row["against"], row["own"]
    shown = "" if against is None else f"{against[0]:+.2f}{spread(against[1])}"
    worse = "" if against is None else judged(-against[0], against[1], WORSE)
    error = "" if row["error"] is None else f"{row['error']:.2f}"
    return (
        f"| {row['set']} | {row['learner']} | {row['sampler']} | {row['labels']:.1f}% | {row['full']:.2f} | "
        f"{own:.2f}{spread(half)} | {row['gap']:.2f} | {judged(row['gap'], half, GAP)} | {row['to_trees']:+.2f} | "
        f"{shown} | {worse} | "
        f"{error} | {row['seeds']} |"
    )


def plot(options: argparse.Namespace, file: Path) -> None:
    """Points short of all labels, by stream and sampler."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in compared(options) if row["learner"] == options.learners[0]]
    names = [name for name in options.sets if any(row["set"] == name for row in rows)]
    figure, axes = plt.subplots(figsize=(8, 0.6 * len(names) + 1.5))
    for k, sampler in enumerate(options.samplers):
        own = [row for row in rows if row["sampler"] == sampler]
        at = [names.index(row["set"]) + 0.16 * (k - (len(options.samplers) - 1) / 2) for row in own]
        half = [row["own"][1] if np.isfinite(row["own"][1]) else 0 for row in own]
        axes.errorbar([row["gap"] for row in own], at, xerr=half, fmt="o", capsize=3, label=sampler)
    axes.axvline(GAP, color="grey", linestyle=":", label=f"goal: {GAP} points")
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"points short of all labels, with {options.share:.0%} of them (95% over seeds)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=120)
