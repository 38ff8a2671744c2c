"""Sorted runs of (hash of a record key, event time) on disk: immutable, memory-mapped, merged by size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Micros = npt.NDArray[np.int64]
#: A run is merged into the one before it unless that is at least this many times larger: O(log n) runs.
GROWTH = 4


@dataclass(frozen=True)
class Run:
    """n pairs in ascending order of the hash, in the file `name`; files: the data files of the log they came from."""

    name: str
    n: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """Pairs (position of the queried hash, event time in microseconds); a hash may be there several times."""

    query: npt.NDArray[np.int64]
    event_time: Micros

    def __len__(self) -> int:
        return len(self.query)


Pair = tuple[Hashes, Micros]


class Keys:
    """What the runs hold at one moment; stays readable when they are merged or deleted meanwhile."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs

    def __len__(self) -> int:
        return sum(len(hashes) for hashes, _ in self._pairs)

    def find(self, hashes: Hashes) -> Found:
        """Every pair whose hash is one of `hashes` (any order, repeats allowed). O(m log n) for each run."""
        order = np.argsort(hashes)
        wanted = hashes[order]
        parts = [_find(pair, wanted) for pair in self._pairs]
        query = np.concatenate([order[at] for at, _ in parts]) if parts else np.zeros(0, np.int64)
        times = np.concatenate([time for _, time in parts]) if parts else np.zeros(0, np.int64)
        return Found(query.astype(np.int64), times)

    def event_time(self, hashes: Hashes) -> tuple[Micros, npt.NDArray[np.bool_]]:
        """(event time in microseconds, whether it is known), one for each hash; of several the earliest."""
        found = self.find(hashes)
        times = np.full(len(hashes), np.iinfo(np.int64).max)
        np.minimum.at(times, found.query, found.event_time)
        known = np.zeros(len(hashes), dtype=bool)
        known[found.query] = True
        return np.where(known, times, 0), known


def _find(pair: Pair, wanted: Hashes) -> tuple[npt.NDArray[np.int64], Micros]:
    have, times = pair
    if not len(have) or not len(wanted):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    left = np.searchsorted(have, wanted)
    at = np.flatnonzero(have[np.minimum(left, len(have) - 1)] == wanted)
    count = np.searchsorted(have, wanted[at], side="right") - left[at]
    ends = np.cumsum(count)
    within = np.arange(int(count.sum())) - np.repeat(ends - count, count)
    return np.repeat(at, count), np.asarray(times[np.repeat(left[at], count) + within])


def read_run(folder: Path, run: Run) -> Pair | None:
    """Memory-mapped; None when the file is gone or not whole."""
    path = folder / run.name
    if run.n == 0:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    if not path.is_file() or path.stat().st_size != 16 * run.n:
        return None
    hashes = np.memmap(path, np.uint64, "r", 0, (run.n,))
    return hashes, np.memmap(path, np.int64, "r", 8 * run.n, (run.n,))


def write_run(folder: Path, pair: Pair, files: Iterable[str]) -> Run:
    """Durable once it returns; the caller's list of runs makes it count."""
    run = Run(f"{uuid4().hex}.run", len(pair[0]), tuple(sorted(files)))
    with (folder / run.name).open("wb") as out:
        for column in pair:
            np.ascontiguousarray(column).tofile(out)
        out.flush()
        os.fsync(out.fileno())
    return run


def sort_pairs(parts: Sequence[Pair]) -> Pair:
    hashes = np.concatenate([part[0] for part in parts])
    order = np.argsort(hashes, kind="stable")
    return hashes[order], np.concatenate([part[1] for part in parts])[order]


def merge_pairs(a: Pair, b: Pair) -> Pair:
    """Both sorted. a: the larger one."""
    at = np.searchsorted(a[0], b[0]) + np.arange(len(b[0]))
    from_a = np.ones(len(a[0]) + len(b[0]), dtype=bool)
    from_a[at] = False
    hashes, times = np.empty(len(from_a), np.uint64), np.empty(len(from_a), np.int64)
    hashes[at], times[at] = b
    hashes[from_a], times[from_a] = a
    return hashes, times


def compacted(folder: Path, runs: Sequence[Run]) -> list[Run]:
    """Runs in descending order of size, each at least GROWTH times the next, as far as they can be read."""
    done: list[tuple[Run, Pair]] = []
    for run in sorted(runs, key=lambda run: (-run.n, run.name)):
        pair = read_run(folder, run)
        if pair is not None:
            done.append((run, pair))
            _collapse(done)
    return [run if (folder / run.name).exists() else write_run(folder, pair, run.files) for run, pair in done]


def _collapse(stack: list[tuple[Run, Pair]]) -> None:
    """The merged ones have no file yet."""
    while len(stack) > 1 and stack[-2][0].n < GROWTH * stack[-1][0].n:
        (small, right), (large, left) = stack.pop(), stack.pop()
        pair = merge_pairs(left, right)
        stack.append((Run(f"{uuid4().hex}.run", len(pair[0]), large.files + small.files), pair))
