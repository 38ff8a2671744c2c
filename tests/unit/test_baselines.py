"""The usual answer and the last known one; who is no better than they are."""

from __future__ import annotations

import numpy as np
import pytest

from continual.core.baselines import Baseline, persistent, usual, usual_name
from continual.core.target import BINARY, Target

CLASSES = Target("multiclass", ("a", "b", "c"))
NUMBERS = Target("regression")


def minutes(*values: int) -> np.ndarray:
    return np.array(values, dtype="datetime64[m]").astype("datetime64[us]")


def test_the_usual_answer_is_learnt_from_the_training_labels():
    assert usual(BINARY, np.array([1.0, 0, 0, 0]), 2).tolist() == [0.25, 0.25]
    assert usual(NUMBERS, np.array([1.0, 5.0]), 1).tolist() == [3.0]
    assert usual(CLASSES, np.array([0.0, 2, 2, 2]), 1).tolist() == [[0.25, 0, 0.75]]
    assert [usual_name(t) for t in (BINARY, CLASSES, NUMBERS)] == ["majority", "majority", "mean"]


def test_persistence_knows_only_labels_that_had_come_and_takes_the_newest_row():
    """Rows at 0, 10, 20; the label of 10 comes last (at 50), that of 20 at 30."""
    events, known, labels = minutes(0, 10, 20), minutes(5, 50, 30), np.array([7.0, 8.0, 9.0])
    at = minutes(4, 5, 29, 30, 60)
    found = persistent(NUMBERS, at, labels, events, known, np.full(5, -1.0))
    assert found.tolist() == [-1, 7, 7, 9, 9]  # a late label of an older row tells nothing new


def test_persistence_of_classes_is_certain_and_falls_back_row_by_row():
    other = usual(CLASSES, np.array([0.0, 1, 2]), 2)
    found = persistent(CLASSES, minutes(0, 9), np.array([1.0]), minutes(1), minutes(2), other)
    assert found.tolist() == [[1 / 3] * 3, [0, 1, 0]]
    assert persistent(CLASSES, minutes(0), np.empty(0), minutes(), minutes(), other[:1]) is not None


def test_persistence_agrees_with_a_plain_search():
    rng = np.random.default_rng(0)
    events = minutes(*rng.integers(0, 500, 80))
    known = events + rng.integers(1, 90, 80).astype("timedelta64[m]")
    labels, at = rng.normal(size=80), minutes(*rng.integers(0, 600, 50))
    order = np.argsort(known, kind="stable")
    plain = []
    for instant in at:
        told = [i for i in order if known[i] <= instant]
        newest = max((events[i] for i in told), default=None)
        plain.append(next((labels[i] for i in told if events[i] == newest), np.nan))
    assert np.array_equal(persistent(NUMBERS, at, labels, events, known, np.full(50, np.nan)), plain, equal_nan=True)


@pytest.mark.parametrize(
    ("better", "value", "beats"), [(1, 0.8, True), (1, 0.6, False), (-1, 0.6, True), (1, None, False)]
)
def test_a_candidate_that_is_no_better_is_told(better, value, beats):
    assert Baseline("majority", "m", better, value, 0.7, None).beats is beats
