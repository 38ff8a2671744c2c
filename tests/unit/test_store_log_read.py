"""Deduplication of predictions and resolution of labels, on small tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from continual.core.window import Window
from continual.stores.entry import storable
from continual.stores.log_read import repeated, resolve, split, windows

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STORED = pd.DataFrame({"record_key": ["k", "l"], "row_hash": ["1", "2"]})


def _incoming(*rows: tuple[str, str]) -> pa.Table:
    keys, hashes = zip(*rows, strict=True)
    return pa.table({"record_key": keys, "row_hash": hashes})


@pytest.mark.parametrize(
    ("rows", "new", "identical", "conflicts"),
    [
        ([("a", "9"), ("b", "8")], ["a", "b"], 0, []),
        ([("k", "1"), ("a", "9")], ["a"], 1, []),
        ([("k", "7"), ("a", "9")], ["a"], 0, ["k"]),
        ([("a", "9"), ("a", "9"), ("a", "9")], ["a"], 2, []),
        ([("a", "9"), ("a", "8"), ("b", "1")], ["b"], 0, ["a", "a"]),
        ([("k", "1"), ("k", "7")], [], 0, ["k", "k"]),
    ],
)
def test_s06_split(rows: list[tuple[str, str]], new: list[str], identical: int, conflicts: list[str]) -> None:
    got_new, got_identical, got_conflicts = split(_incoming(*rows), STORED)
    assert got_new.column("record_key").to_pylist() == new
    assert got_identical == identical
    assert got_conflicts.column("record_key").to_pylist() == conflicts


def test_split_against_an_empty_log() -> None:
    new, identical, conflicts = split(_incoming(("a", "1")), STORED.iloc[:0])
    assert (new.num_rows, identical, conflicts.num_rows) == (1, 0, 0)


def _labels(*rows: tuple[str, float, str, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["record_key", "value", "source", "known_at"]).assign(batch_id="b")
    return frame.assign(known_at=[pd.Timestamp(NOON) + timedelta(hours=hours) for hours in frame["known_at"]])


ROWS = [("a", 0.0, "x", 1), ("a", 1.0, "x", 2), ("b", 1.0, "y", 1), ("b", 0.0, "x", 1), ("c", 2.0, "x", 1)]


def test_s12_labels_resolve_the_same_in_any_order() -> None:
    for rows in permutations(ROWS):
        chosen = resolve(_labels(*rows))
        assert chosen["record_key"].tolist() == ["a", "b", "c"]
        assert chosen["value"].tolist() == [1.0, 0.0, 2.0]
        assert chosen["n_conflicts"].tolist() == [1, 1, 0]


def test_s12_a_tie_within_a_source_takes_the_smaller_value() -> None:
    chosen = resolve(_labels(("a", 2.0, "x", 1), ("a", 1.0, "x", 1), ("a", 1.0, "x", 1)))
    assert chosen[["value", "n_conflicts"]].values.tolist() == [[1.0, 1.0]]


def test_no_labels_resolve_to_none() -> None:
    chosen = resolve(_labels(*ROWS).iloc[:0])
    assert len(chosen) == 0
    assert "n_conflicts" in chosen


def test_days_are_read_as_few_windows() -> None:
    first, second = windows(np.array([3, 1, 2, 2, 7]))
    assert first == Window(datetime(1970, 1, 2, tzinfo=UTC), datetime(1970, 1, 5, tzinfo=UTC))
    assert second == Window(datetime(1970, 1, 8, tzinfo=UTC), datetime(1970, 1, 9, tzinfo=UTC))
    assert windows(np.array([], dtype=np.int64)) == []


def test_repeated_hashes_are_marked_wherever_they_stand() -> None:
    assert repeated(np.array([5, 1, 5, 2, 1, 9], dtype=np.uint64)).tolist() == [True, True, True, False, True, False]


def test_a_key_that_was_logged_twice_before_keys_were_unique_is_known_by_either_content() -> None:
    stored = pd.DataFrame({"record_key": ["k", "k"], "row_hash": ["1", "2"]})
    new, identical, conflicts = split(_incoming(("k", "2"), ("a", "1")), stored)
    assert (new.column("record_key").to_pylist(), identical, conflicts.num_rows) == (["a"], 1, 0)


def test_evidence_is_settled_to_what_databases_give_back() -> None:
    value = {"big": 1e16, "zero": -0.0, "text": "a\x00\ud800", "nan": float("nan"), "half": 0.5, "list": (1.0, True)}
    settled = storable(value)
    assert settled == {"big": 10**16, "zero": 0.0, "text": "a\ufffd?", "nan": None, "half": 0.5, "list": [1.0, True]}
    assert isinstance(settled["big"], int)
    assert str(settled["zero"]) == "0.0"
