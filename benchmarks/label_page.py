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


def pieces(options: argparse.Namespace, name: str, sampler: str) -> list[dict[str, Any]]:
    """By seed, as far as they are finished."""
    files = [
        options.out / f"{name}-{sampler}-{options.share:g}-{options.rounds}-{seed}.json"
        for seed in range(options.seeds)
    ]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def means(found: list[dict[str, Any]]) -> np.ndarray:
    return np.array([np.mean(piece["scores"]) for piece in found])


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half width of its 95% interval over seeds; infinite from one seed."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
    return float(values.mean()), float(half)


def compared(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each stream and sampler that has finished pieces."""
    out = []
    for name in options.sets:
        full, uniform = pieces(options, name, "full"), means(pieces(options, name, "uniform"))
        for sampler in options.samplers if full else ():
            found = pieces(options, name, sampler)
            if not found:
                continue
            own, top = means(found), float(means(full)[0])
            n = min(len(own), len(uniform))
            errors = [abs(e) for piece in found for e in piece["errors"]]
            out.append(
                {
                    "set": name,
                    "sampler": sampler,
                    "full": top,
                    "seeds": len(own),
                    "labels": 100 * float(np.mean([p["labels"] / p["rows"] for p in found])),
                    "own": interval(own),
                    "gap": top - float(own.mean()),
                    "against": interval(own[:n] - uniform[:n]) if n and sampler != "uniform" else None,
                    "error": float(np.mean(errors)) if errors else None,
                }
            )
    return out


def page(options: argparse.Namespace) -> str:
    rows = compared(options)
    lines = [
        "# A tenth of the labels",
        "",
        f"`python benchmarks/label_efficiency.py --data <folder> --share {options.share:g} --rounds {options.rounds} "
        f"--seeds {options.seeds} --samplers {' '.join(options.samplers)} --write` wrote this page. Each stream in "
        f"{options.rounds} rounds; the chosen labels of a round first estimate how good the model is, then train it; "
        "the model is scored on all rows of the next round (from the fourth on). AUC in points, of storms accuracy, of "
        "capital_bikeshare R2; the same small boosted trees with all labels and with few. ± is the 95% interval over "
        f"seeds. Goals: within {GAP} points of all labels, and never worse than uniform by more than {WORSE}. Estimate "
        "off: mean absolute error, in points, of the accuracy that the same labels estimate (binary).",
        "",
        "| stream | sampler | labels | all labels | chosen labels | short by | within 0.5 | minus uniform | not worse "
        "| estimate off | seeds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    tail = [
        "",
        "![](label_efficiency.png)",
        "",
        "Both goals are judged by the mean over seeds. Where the interval is wider than the goal, the seeds do not "
        "show that it holds. Fewer labels than all can be better where old rows mislead. The default sampler spends "
        "labels on slices and on rows where two models differ; the price is the accuracy of the whole: where "
        "`estimate off` is larger than for uniform, use `uncertainty` or `uniform` if one number for all rows is what "
        "the labels are for. What others need: [labels a stream needs](label_frontier.md).",
        "",
    ]
    return "\n".join([*lines, *(_line(row) for row in rows), *tail])


def _line(row: dict[str, Any]) -> str:
    against = row["against"]
    shown = "" if against is None else f"{against[0]:+.2f} ± {against[1]:.2f}"
    worse = "" if against is None else ("yes" if against[0] >= -WORSE else "**no**")
    error = "" if row["error"] is None else f"{row['error']:.2f}"
    return (
        f"| {row['set']} | {row['sampler']} | {row['labels']:.1f}% | {row['full']:.2f} | {row['own'][0]:.2f} ± "
        f"{row['own'][1]:.2f} | {row['gap']:.2f} | {'yes' if row['gap'] <= GAP else '**no**'} | {shown} | {worse} | "
        f"{error} | {row['seeds']} |"
    )


def plot(options: argparse.Namespace, file: Path) -> None:
    """Points short of all labels, by stream and sampler."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = compared(options)
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
