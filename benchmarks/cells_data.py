"""A made-up log for benchmarks/cells.py: one Parquet file per day, seeded, written once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from continual.core.slices import SliceSpec

DAYS = 90
#: Ten columns of 20 values: 200 slices. Five columns whose pairs make 4,650 cells: 10 x 20, 10 x 25, 20 x 25, ...
SLICED = [f"c{i}" for i in range(10)]
PAIRED = {"d0": 10, "d1": 20, "d2": 20, "d3": 25, "d4": 34}
VERSIONS = {"1": ("s1",), "2": ("s2",)}
FIRST_DAY = 20454  # 2026-01-01


def by_columns() -> tuple[SliceSpec, ...]:
    return tuple(SliceSpec(by=column) for column in SLICED)


def all_pairs() -> tuple[SliceSpec, ...]:
    names = list(PAIRED)
    return tuple(SliceSpec(cross=(a, b), top=1000) for i, a in enumerate(names) for b in names[i + 1 :])


def path(folder: Path, day: int) -> Path:
    return folder / f"{day}.parquet"


def write(folder: Path, rows: int) -> None:
    """rows: of the whole log; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for day in range(DAYS):
        target = path(folder, day)
        if not target.exists():
            pq.write_table(
                _day(day, rows // DAYS), target.with_suffix(".part"), row_group_size=1 << 20, compression="zstd"
            )
            target.with_suffix(".part").rename(target)


def _day(day: int, rows: int) -> pa.Table:
    rng = np.random.default_rng([7, day])
    columns: dict[str, pa.Array] = {}
    for name, size in {**dict.fromkeys(SLICED, 20), **PAIRED}.items():
        share = rng.permutation(np.linspace(0.5, 1.5, size)) if name in PAIRED else np.linspace(1.5, 0.5, size)
        code = rng.choice(size, rows, p=share / share.sum()).astype(np.int32)
        values = pa.array([f"{name}-{i:02d}" for i in range(size)])
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(code), values)
    logit = rng.normal(-1.5, 1.2, rows)
    columns["label"] = pa.array((rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8))
    for (name,), noise in zip(VERSIONS.values(), (0.5, 0.6), strict=True):
        columns[name] = pa.array(1 / (1 + np.exp(-(logit + rng.normal(0, noise, rows)))))
    columns["key"] = pa.array(np.arange(rows, dtype=np.int64) + day * 10**9)
    return pa.table(columns)
