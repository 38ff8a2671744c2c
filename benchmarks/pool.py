"""Choosing labels from a pool of 10 million rows: CPU and memory beside scoring the pool alone.

    OMP_NUM_THREADS=1 python benchmarks/pool.py --data <folder> --write
    OMP_NUM_THREADS=1 python benchmarks/pool.py --data <folder> --rows 1000000 --cases all --write

The pool (20 features) is written once to Parquet, 200,000 rows at a time, and read in the same pieces; keys and members
of slices are made when they are asked for. Each case is a process of its own; CPU is user + system of the choice over
that of reading and `predict_proba` of the same pieces by as many models as the sampler reads, in the same run. Memory
is what the process grew by, at its peak: for scoring alone, and for the choice beyond that. Finished cases are kept in
--data; the page has all of them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
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
CASES = ("active",)
#: Parameters of samplers that need some.
TERMS: dict[str, dict[str, Any]] = {
    "newest": {"half_life": "1d"},
    "mixture": {
        "components": [{"share": 2, "sampler": {"kind": "uncertainty"}}, {"share": 1, "sampler": {"kind": "diverse"}}]
    },
}
#: Models of a committee, the champion among them.
MEMBERS = 3
START = np.datetime64("2026-01-01", "us")
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "pool.md"
NOTES = (
    "What a model said of a row is kept until the sum of all is known: 8 bytes a row, in a temporary file (`TMPDIR`), "
    "not in memory. A draw of fixed size (`design: fixed`, the default of `stratified` and `diverse`) is sorted "
    "through temporary files of 32 bytes a row. The overhead of a choice is a constant a row (a hash of its key, a "
    "measure): small beside boosted trees, not beside a linear model, which scores a row in a tenth of the time.",
    "",
    "A mixture costs what its components cost together, here `uncertainty` and `diverse`, each of which is within the "
    "goal; part of `diverse` (a shortlist, its regions) does not grow with the pool.",
)
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


@dataclass(frozen=True)
class Made:
    """(n,) numbers that are made for the rows asked for: record keys, members of a slice."""

    n: int
    make: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, part: slice) -> np.ndarray:
        return self.make(np.arange(part.start, part.stop))


def members(share: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: (rows * 2654435761 + int(share * 1000)) % 2**32 < share * 2**32


def fitted(kind: str, seed: int = 10**6) -> Any:
    x = pd.DataFrame(piece(seed, 50_000), columns=NAMES)
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
    sampler = SAMPLERS.build({"kind": case, "budget": LABELS, **TERMS.get(case, {})})
    features, models = Stored(path), [fitted(model_kind, 10**6 + i) for i in range(_models(sampler.reads))]
    n, empty = len(features), peak()
    for _ in range(2):  # the second read finds caches as warm as the choice does
        start = cpu()
        for at in range(0, n, CHUNK):
            rows = features[at : at + CHUNK]
            for model in models:
                model.predict_proba(rows)
        alone = cpu() - start
    scored = peak()
    start, clock = cpu(), time.perf_counter()
    pool = _pool(features, models, sampler.reads)
    chosen = total = 0.0
    for piece_drawn in sampler.pieces(pool, 1):
        chosen += float(piece_drawn.chosen.sum())
        total += float(piece_drawn.probability.sum())
    used = cpu() - start
    return {
        "case": case,
        "model": model_kind,
        "models": len(models),
        "rows": n,
        "alone": alone,
        "choice": used,
        "ratio": used / alone,
        "alone_mb": scored - empty,
        "grew_mb": peak() - scored,
        "chosen": int(chosen),
        "sum_pi": total,
        "wall": time.perf_counter() - clock,
    }


def _models(reads: frozenset[str]) -> int:
    """As many as the sampler reads, one for those that read none."""
    return MEMBERS if "committee" in reads else 2 if "rival" in reads else 1


def _pool(features: Stored, models: list[Any], reads: frozenset[str]) -> Pool:
    """What the sampler reads of everything there is."""
    n = len(features)
    slices = {f"s{i}": Made(n, members(share)) for i, share in enumerate((0.01, 0.1, 0.3))}
    return Pool(
        Made(n, lambda rows: rows),
        features,
        models[0],
        event_time=Made(n, lambda rows: START + rows.astype("timedelta64[ms]")) if "event_time" in reads else None,
        slices=slices if reads & {"slices", "needed"} else {},
        needed={"s0": 500, "s1": 200} if "needed" in reads else {},
        rival=models[1] if "rival" in reads else None,
        committee=tuple(models) if "committee" in reads else (),
    )


def page(found: list[dict[str, Any]]) -> str:
    lines = [
        "# Choosing labels from a large pool",
        "",
        f"{_commands(found)} wrote this page. Every sampler reads the pool a piece at a time, so that more rows say "
        "the same and cost more; `entropy` and `least_confidence` differ from `margin` by a formula. "
        f"{FEATURES} features in Parquet, {LABELS:,} labels, pieces of {CHUNK:,} rows, one thread. `alone` = reading "
        "and predict_proba by `models` models, as many as the sampler reads (champion; rival; a committee of 3). "
        f"Goals: CPU ratio <= {GOAL}; memory bounded by the chunk, whatever the number of rows. All features of ten "
        f"million rows are {10**7 * FEATURES * 4 / 2**20:,.0f} MB as numbers of 4 bytes.",
        "",
        "| sampler | model | models | rows | alone, CPU-s | choice, CPU-s | ratio | met | alone grew, MB | choice grew "
        "beyond | chosen |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {f['case']} | {f['model']} | {f['models']} | {f['rows']:,} | {f['alone']:.1f} | {f['choice']:.1f} | "
        f"{f['ratio']:.2f} | {'yes' if f['ratio'] <= GOAL else '**no**'} | {f['alone_mb']:,.0f} | "
        f"{f['grew_mb']:,.0f} | {f['chosen']:,} |"
        for f in sorted(found, key=lambda f: (-f["rows"], f["model"], f["case"]))
    ]
    return "\n".join([*lines, "", *NOTES]) + "\n"


def _commands(found: list[dict[str, Any]]) -> str:
    """What was run, largest pool first."""
    sizes = sorted({f["rows"] for f in found}, reverse=True)
    cases = {n: sorted({f["case"] for f in found if f["rows"] == n}) for n in sizes}
    return ", ".join(f"`python benchmarks/pool.py --data <folder> --rows {n} --cases {' '.join(cases[n])} --write`"
                     for n in sizes)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder for the pool; 840 MB for 10 million rows")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--models", nargs="+", default=["boosting"], help="boosting, logistic")
    parser.add_argument("--cases", nargs="+", default=list(CASES), help="samplers, or all")
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
    cases = sorted(SAMPLERS.kinds) if options.cases == ["all"] else options.cases
    for model in options.models:
        for case in cases:
            kept = options.data / f"case-{options.rows}-{model}-{case}.json"
            if not kept.exists():
                own = [sys.executable, __file__, "--data", str(options.data), "--rows", str(options.rows)]
                done = subprocess.run([*own, "--one", case, model], check=True, capture_output=True, text=True)
                kept.write_text(done.stdout.splitlines()[-1])
                print(kept.read_text(), flush=True)
    if options.write:
        RESULTS.write_text(page([json.loads(file.read_text()) for file in options.data.glob("case-*.json")]))


if __name__ == "__main__":
    main()
