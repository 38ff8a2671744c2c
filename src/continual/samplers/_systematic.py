"""A sample of fixed size with given inclusion probabilities, of a pool of any size in the memory of a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.samplers._columns import CHUNK, Column, Values

#: Files open at a time.
MOST_BUCKETS = 256
ROW = np.dtype([("row", np.int64), ("stratum", np.int64), ("uniform", np.float64), ("pi", np.float64)])


def systematic(probability: Column, uniform: Column, strata: Column | None, seed: int, size: int = CHUNK) -> Column:
    """(n,) whether a row is in a sample of fixed size sum(pi) with exactly these inclusion probabilities.

    Randomised systematic sampling (Madow 1949; Hartley & Rao 1962): rows in random order, or by stratum and in random
    order inside, probabilities laid end to end on a line, one row at every whole step from a random start. A row of
    length pi holds a step with chance pi whatever the order. Inside strata the number is sum(pi) of the stratum up or
    down to a whole one. probability, uniform, strata: (n,); uniform: of `keyed_uniform`. size: rows put in order at a
    time; a larger pool is sorted in pieces through temporary files, 32 bytes a row.
    """
    total = probability.total()
    whole = np.round(total)
    exact = abs(total - whole) < 1e-6  # rounding must not cost a row
    start = np.random.default_rng([seed, 0x5A11]).random()
    line, found = 0.0, []
    for rows, last in _in_order(probability, uniform, strata, size):
        ends = line + np.cumsum(rows["pi"] * (whole / total if exact and total else 1.0))
        if last and exact and len(ends):
            ends[-1] = whole
        steps = np.floor(ends + start)
        found.append(rows["row"][np.diff(steps, prepend=np.floor(line + start)) > 0])
        line = float(ends[-1]) if len(ends) else line
    chosen = np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)
    return Column(len(probability), lambda part: _inside(chosen, part), probability.size)


def _inside(chosen: npt.NDArray[np.int64], part: slice) -> Values:
    """(m,) which rows of a slice are among the sorted `chosen`."""
    out = np.zeros(part.stop - part.start, dtype=bool)
    first, end = np.searchsorted(chosen, [part.start, part.stop])
    out[chosen[first:end] - part.start] = True
    return out


def _in_order(
    probability: Column, uniform: Column, strata: Column | None, size: int
) -> Iterator[tuple[npt.NDArray[Any], bool]]:
    """Rows by (stratum, uniform), some at a time; with True, the last ones."""
    n = len(probability)
    number = min(MOST_BUCKETS, max(1, -(-n // size)))
    sizes = np.array([n]) if strata is None else strata.counts()
    files = [TemporaryFile() for _ in range(number)] if number > 1 else []  # noqa: SIM115  closed below
    try:
        for rows in _rows(probability, uniform, strata):
            if not files:
                yield _sorted(rows), True
                return
            bucket = _bucket(rows, sizes, number)
            for i in np.unique(bucket):
                files[i].write(rows[bucket == i].tobytes())
        for i, file in enumerate(files):
            file.seek(0)
            yield _sorted(np.frombuffer(file.read(), dtype=ROW)), i == number - 1
    finally:
        for file in files:
            file.close()


def _rows(probability: Column, uniform: Column, strata: Column | None) -> Iterator[npt.NDArray[Any]]:
    for part, pi in probability.chunks():
        rows = np.empty(len(pi), dtype=ROW)
        rows["row"], rows["pi"], rows["uniform"] = np.arange(part.start, part.stop), pi, uniform.read(part)
        rows["stratum"] = 0 if strata is None else strata.read(part)
        yield rows


def _bucket(rows: npt.NDArray[Any], sizes: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.int64]:
    """(m,) of about equal numbers of rows, rising with (stratum, uniform): uniform tells about where in its stratum a
    row stands."""
    before = np.r_[0, np.cumsum(sizes)[:-1]]
    rank = before[rows["stratum"]] + rows["uniform"] * sizes[rows["stratum"]]
    return np.asarray(np.minimum((rank * number / sizes.sum()).astype(np.int64), number - 1))


def _sorted(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return rows[np.lexsort((rows["uniform"], rows["stratum"]))]
