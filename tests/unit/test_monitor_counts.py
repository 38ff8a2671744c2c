"""The vectorised monitor of the benchmarks says what the real one says."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from continual.core.stats.dependence import day_sums

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
simulate = importlib.import_module("simulate")
counts = importlib.import_module("simulate_monitor")


def _rows(worse: float, better: float, n: float) -> np.ndarray:
    return np.repeat([1.0, -1.0, 0.0], [int(worse), int(better), int(n - worse - better)])


@pytest.mark.parametrize("real", [simulate.MONITOR, simulate.PLAIN, counts.BY_DAY], ids=["default", "plain", "by_day"])
@pytest.mark.parametrize(("rows", "size", "since"), [(200, 0.06, 10), (40, 0.2, 0), (20, 0.2, 3), (300, 0.0, 0)])
def test_counts_alarm_on_the_day_the_real_monitor_does(real, rows, size, since):
    world = counts.World(True, before=10, lasting=0.5)
    found = counts.draw(np.random.default_rng(3), 4, 40, rows, np.full(3, size), world, since)
    overall, slice_ = counts.thresholds(real, 3)
    whole = found.whole()
    all_, own = (of(real, whole, found) for of in (counts.of_whole, counts.of_slices))
    of_slices, of_all = counts.alarms(found, real, slice_, own), counts.alarms(whole, real, overall, all_)
    for run in range(4):
        days = [[_rows(found.worse[d, run, s], found.better[d, run, s], rows) for d in range(50)] for s in range(3)]
        whole = [np.concatenate(parts) for parts in zip(*days, strict=True)]
        streams = [_stream("overall", whole), *(_stream(f"s{s}", days[s]) for s in range(3))]
        expected = simulate.alarm_day(streams, real)
        first = min(of_all[run].min(), of_slices[run].min())
        assert (None if np.isinf(first) else int(first)) == expected


def _stream(name, days):
    before = tuple(day_sums(day) for day in days[:10])
    return replace(simulate.stream(name, days[10:]), before=before)
