"""Two models on 100,000 rows and 20 slices: what the gate's measuring costs on one core.

    OMP_NUM_THREADS=1 python benchmarks/paired.py --write

Every metric of the policy on every slice, both models' estimates and their paired comparison, each with its interval
(`flows/measure.py`); the scores are given. CPU seconds (user + system) of this process, minimum over repeats, beside a
sort of a million doubles and scikit-learn's roc_auc_score of one model on the same rows in the same run.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from continual.core.slices import Slice, SliceSpec, resolve
from continual.flows.measure import measure
from continual.flows.weights import INCLUSION
from continual.metrics.base import METRICS

ROWS, SLICES, GOAL = 100_000, 20, 1.0
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "paired.md"
#: The metrics of the flights' policy, and more of them.
POLICIES = {
    "roc_auc, brier": ("roc_auc", "brier"),
    "roc_auc, brier, log_loss, accuracy, f1": ("roc_auc", "brier", "log_loss", "accuracy", "f1"),
    "pr_auc": ("pr_auc",),
}


def made() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of 28 days with three columns to slice by, and the scores of two models."""
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2024-01-01", tz="UTC")
    frame = pd.DataFrame(
        {
            "event_time": start + pd.to_timedelta(np.sort(rng.integers(0, 28 * 86400, ROWS)), unit="s"),
            "carrier": rng.choice(list("abcdefghij"), ROWS),
            "origin": rng.choice(list("xyz"), ROWS),
            "block": rng.choice(list("pqrst"), ROWS),
            "age": rng.integers(0, 20, ROWS).astype(float),
        }
    )
    z = rng.normal(size=ROWS)
    frame["label"] = (rng.random(ROWS) < 1 / (1 + np.exp(-z))).astype(float)
    candidate, champion = (1 / (1 + np.exp(-(z + rng.normal(0, sd, ROWS)))) for sd in (0.5, 0.6))
    return frame, candidate, champion


def slices_of(frame: pd.DataFrame) -> list[Slice]:
    """Overall, 10 + 3 + 5 values of columns and a predicate: every row is in four or five of them."""
    specs = [SliceSpec(by=name) for name in ("carrier", "origin", "block")]
    found = resolve([*specs, SliceSpec(name="new", where="age <= 1")], frame)
    return [item for item in found if not item.name.endswith("other")][:SLICES]


def cpu(work: Callable[[], object], repeats: int) -> float:
    """Least CPU seconds of `repeats` calls."""
    out = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        out.append(time.process_time() - start)
    return min(out)


def references(frame: pd.DataFrame, score: np.ndarray, repeats: int) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    doubles, label = np.random.default_rng(1).random(1_000_000), frame["label"].to_numpy()
    return {
        "np.sort of 1,000,000 doubles": cpu(lambda: np.sort(doubles), repeats),
        "sklearn roc_auc_score, one model, 100,000 rows": cpu(lambda: roc_auc_score(label, score), repeats),
    }


def timed(repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """References and, by what is measured, CPU seconds."""
    frame, candidate, champion = made()
    slices = slices_of(frame)
    assert len(slices) == SLICES
    weighted = frame.assign(**{INCLUSION: np.random.default_rng(2).uniform(0.05, 1.0, ROWS)})
    found = {}
    for name, kinds in POLICIES.items():
        metrics = [METRICS.build({"kind": kind, "owner": "benchmark"}) for kind in kinds]
        for rows, how in ((frame, name), (weighted, f"{name}; chosen labels, weighted")):
            one = measure(rows, slices, metrics, candidate, champion)
            assert all(found.comparison.defined for item in one for found in item.metrics)
            found[how] = cpu(
                lambda rows=rows, metrics=metrics: measure(rows, slices, metrics, candidate, champion), repeats
            )
    return references(frame, candidate, repeats), found


def page(reference: dict[str, float], found: dict[str, float], repeats: int) -> str:
    sort, auc = reference.values()
    load = os.getloadavg()[0]
    lines = [
        "# Paired intervals on every slice: what they cost\n",
        f"`python benchmarks/paired.py --repeats {repeats} --write` wrote this page: {SLICES} slices, 2 models, "
        f"{ROWS:,} rows, every row in four or five slices; both models' estimates and the paired comparison of "
        "every metric on every slice, with intervals clustered by 28 days. CPU seconds of one process, least of "
        f"the repeats; goal: under {GOAL:g} s for the policy's metrics (first row; the others to compare).\n",
        f"Reference in the same run: {'; '.join(f'{name} {value:.4f} s' for name, value in reference.items())}. "
        f"{platform.python_implementation()} {platform.python_version()}, numpy {np.__version__}, "
        f"{os.cpu_count()} cores, load average {load:.1f}.\n",
        "| metrics | CPU s | / sort | / roc_auc_score | < 1 s |\n|---|---|---|---|---|",
    ]
    for name, value in found.items():
        met = "yes" if value < GOAL else "**no**"
        lines.append(f"| {name} | {value:.3f} | {value / sort:.0f} | {value / auc:.0f} | {met} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    text = page(*timed(arguments.repeats), arguments.repeats)
    print(text)
    if arguments.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
