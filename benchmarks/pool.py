"""Choosing labels from a pool of 10 million rows: CPU and memory beside scoring the pool alone.

    OMP_NUM_THREADS=1 python benchmarks/pool.py --data <folder> --write

The pool (20 features) is written once to Parquet, 200,000 rows at a time, and read in the same pieces. Each case is a
process of its own; CPU is user + system of the choice over that of reading and `predict_proba` of the same pieces, in
the same run. Memory is what the process grew by, at its peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from continual.samplers.base import SAMPLERS, Pool

FEATURES, CHUNK, LABELS, GOAL = 20, 200_000, 10_000, 1.3
CASES = ("uncertainty", "margin", "active", "uniform", "diverse")
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "pool.md"
NAMES = [f"x{i}" for i in range(FEATURES)]


def piece(number: int, rows: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=(rows, FEATURES)).astype(np.float32)


def write(path: Path, rows: int) -> None:
    schema = pa.schema([(name, pa.float32()) for name in NAMES])
    part = path.with_suffix(".tmp")
    with pq.ParquetWriter(part, schema, compression="none") as writer:
        for start in range(0, rows, CHUNK):
            values = piece(start // CHUNK, min(CHUNK, rows - start))
            writer.write_table(pa.table(dict(zip(NAMES, values.T, strict=True)), schema), row_group_size=CHUNK)
    part.replace(path)


class Stored:
    """The pool's features, read when they are asked for, a row group at a time."""

    def __init__(self, path: Path) -> None:
        self.file = pq.ParquetFile(path)

    def __len__(self) -> int:
        return int(self.file.metadata.num_rows)

    def __getitem__(self, part: slice) -> pd.DataFrame:
        if isinstance(part, slice):
            return self.file.read_row_group(part.start // CHUNK).to_pandas()
        return self.rows(np.asarray(part))

    def rows(self, where: np.ndarray) -> pd.DataFrame:
        """Single rows, in the order asked for (a shortlist)."""
        groups = where // CHUNK
        out = np.empty((len(where), FEATURES), dtype=np.float32)
        for g in np.unique(groups):
            inside = np.flatnonzero(groups == g)
            table = self.file.read_row_group(int(g)).to_pandas()
            out[inside] = table.to_numpy()[where[inside] % CHUNK]
        return pd.DataFrame(out, columns=NAMES)


def fitted(kind: str) -> Any:
    x = pd.DataFrame(piece(10**6, 50_000), columns=NAMES)
    y = x["x0"] + x["x1"] * x["x2"] + np.random.default_rng(1).normal(size=len(x)) > 0
    model = HistGradientBoostingClassifier(random_state=0) if kind == "boosting" else LogisticRegression()
    return model.fit(x, y)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(case: str, model_kind: str, path: Path) -> dict[str, Any]:
    """One case in this process."""
    features, model = Stored(path), fitted(model_kind)
    n = len(features)
    for _ in range(2):  # the second read finds caches as warm as the choice does
        start = cpu()
        for at in range(0, n, CHUNK):
            model.predict_proba(features[at : at + CHUNK])
        alone = cpu() - start
    keys = np.arange(n)
    rng = np.random.default_rng(0)
    slices = {f"s{i}": rng.random(n, dtype=np.float32) < share for i, share in enumerate((0.01, 0.1, 0.3))}
    before = peak()
    start, clock = cpu(), time.perf_counter()
    sampler = SAMPLERS.build({"kind": case, "budget": LABELS})
    sample = sampler.draw(Pool(keys, features, model, slices=slices if "slices" in sampler.reads else {}), 1)
    used = cpu() - start
    return {
        "case": case,
        "model": model_kind,
        "alone": alone,
        "choice": used,
        "ratio": used / alone,
        "grew_mb": peak() - before,
        "chosen": int(sample.chosen.sum()),
        "sum_pi": float(sample.probability.sum()),
        "wall": time.perf_counter() - clock,
    }


def page(found: list[dict[str, Any]], rows: int) -> str:
    lines = [
        "# Choosing labels from a large pool",
        "",
        f"`python benchmarks/pool.py --data <folder> --rows {rows} {_asked(found)} --write`: {rows:,} rows x "
        f"{FEATURES} features in Parquet, {LABELS:,} labels, pieces of {CHUNK:,} rows, one thread. `alone` = reading "
        f"and predict_proba. Goal: ratio <= {GOAL}. Memory: growth of the process at its peak; all features are "
        f"{rows * FEATURES * 4 / 2**20:,.0f} MB as numbers of 4 bytes.",
        "",
        "| sampler | model | alone, CPU-s | choice, CPU-s | ratio | memory grew, MB | bytes a row | chosen |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {f['case']} | {f['model']} | {f['alone']:.1f} | {f['choice']:.1f} | {f['ratio']:.2f} | {f['grew_mb']:,.0f} "
        f"| {f['grew_mb'] * 2**20 / rows:.0f} | {f['chosen']:,} |"
        for f in found
    ]
    return "\n".join(lines) + "\n"


def _asked(found: list[dict[str, Any]]) -> str:
    models, cases = ([*dict.fromkeys(f[key] for f in found)] for key in ("model", "case"))
    return f"--models {' '.join(models)} --cases {' '.join(cases)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder for the pool; 840 MB for 10 million rows")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--models", nargs="+", default=["boosting", "logistic"])
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    parser.add_argument("--one", nargs=2, help="a sampler and a model: measured in this process, printed as JSON")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    path = options.data / f"pool-{options.rows}.parquet"
    if not path.exists():
        write(path, options.rows)
    if options.one:
        print(json.dumps(measure(*options.one, path)))
        return
    found = []
    for model in options.models:
        for case in options.cases:
            own = [sys.executable, __file__, "--data", str(options.data), "--rows", str(options.rows)]
            done = subprocess.run([*own, "--one", case, model], check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(page(found, options.rows).splitlines()[-1], flush=True)
            if options.write:
                RESULTS.write_text(page(found, options.rows))


if __name__ == "__main__":
    main()
