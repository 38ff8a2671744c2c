"""Sorted runs of key hashes: every pair is found, however the runs were cut and merged."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from continual.stores.key_runs import GROWTH, Keys, Run, compacted, merge_pairs, read_run, sort_pairs, write_run

PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(-5, 5)), max_size=40)


def _pair(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([r[0] for r in rows], np.uint64), np.array([r[1] for r in rows], np.int64)


def _sorted(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return sort_pairs([_pair(rows)])


@settings(max_examples=60, deadline=None)
@given(st.lists(PAIRS, max_size=4), st.lists(st.integers(0, 35), max_size=20))
def test_find_is_what_a_loop_over_all_pairs_finds(runs: list[list[tuple[int, int]]], wanted: list[int]) -> None:
    keys = Keys([_sorted(rows) for rows in runs])
    found = keys.find(np.array(wanted, np.uint64))
    expected = [(i, time) for i, key in enumerate(wanted) for rows in runs for have, time in rows if have == key]
    assert sorted(zip(found.query.tolist(), found.event_time.tolist(), strict=True)) == sorted(expected)
    times, known = keys.event_time(np.array(wanted, np.uint64))
    first = {i: min(time for j, time in expected if j == i) for i, _ in expected}
    assert {i: int(times[i]) for i in np.flatnonzero(known)} == first


@settings(max_examples=60, deadline=None)
@given(PAIRS, PAIRS)
def test_merging_loses_and_invents_nothing(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    hashes, times = merge_pairs(_sorted(a), _sorted(b))
    assert (np.diff(hashes.astype(np.int64)) >= 0).all()
    assert sorted(zip(hashes.tolist(), times.tolist(), strict=True)) == sorted(a + b)


def test_runs_on_disk_stay_few_and_hold_everything(tmp_path: Path) -> None:
    runs: list[Run] = []
    for day in range(90):
        rows = [(day * 1000 + n, day) for n in range(50)]
        runs = compacted(tmp_path, [*runs, write_run(tmp_path, _pair(rows), [f"file-{day}"])])
    assert sum(run.n for run in runs) == 90 * 50
    assert sorted(file for run in runs for file in run.files) == sorted(f"file-{day}" for day in range(90))
    assert all(a.n >= GROWTH * b.n for a, b in pairwise(runs))
    assert len(runs) <= 5
    pairs = [read_run(tmp_path, run) for run in runs]
    found = Keys([pair for pair in pairs if pair]).find(np.array([7_003, 89_049, 50], np.uint64))
    assert sorted(zip(found.query.tolist(), found.event_time.tolist(), strict=True)) == [(0, 7), (1, 89)]


@pytest.mark.parametrize("damage", ["gone", "torn"])
def test_s59_a_run_that_is_not_whole_is_not_read(tmp_path: Path, damage: str) -> None:
    run = write_run(tmp_path, _pair([(1, 1), (2, 2)]), ["f"])
    path = tmp_path / run.name
    path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[:-1])
    assert read_run(tmp_path, run) is None
    assert compacted(tmp_path, [run]) == []
