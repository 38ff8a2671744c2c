"""Answers of models by task: how the log holds them, and the bounded losses a sequential test reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from continual.core.target import BINARY, Target

CLASSES = ("storm", "hurricane", "depression")
STORMS = Target("multiclass", CLASSES)
COUNTS = Target("regression")


def test_answers_come_from_the_columns_of_the_task() -> None:
    frame = pd.DataFrame({"prediction": [0.2, np.nan], "p_storm": [1.0, 0], "p_hurricane": [0, 1.0]})
    frame["p_depression"] = 0.0
    assert np.array_equal(BINARY.answers(frame), [0.2, np.nan], equal_nan=True)
    assert np.array_equal(COUNTS.answers(frame), [0.2, np.nan], equal_nan=True)
    assert np.array_equal(STORMS.answers(frame), [[1, 0, 0], [0, 1, 0]])


def test_excess_of_probabilities_is_the_difference_of_brier_scores() -> None:
    rng = np.random.default_rng(0)
    label, ours, theirs = rng.integers(0, 2, 200).astype(float), rng.random(200), rng.random(200)
    expected = brier_score_loss(label, ours) - brier_score_loss(label, theirs)
    assert BINARY.excess(ours, theirs, label).mean() == pytest.approx(expected)
    two = [np.column_stack([1 - p, p]) for p in (ours, theirs)]
    as_classes = Target("multiclass", ("no", "yes")).excess(two[0], two[1], label)
    assert as_classes == pytest.approx(BINARY.excess(ours, theirs, label))


def test_loss_of_a_row_is_brier_or_the_absolute_error() -> None:
    label, answer = np.array([0.0, 1.0]), np.array([0.2, 0.7])
    assert BINARY.loss(answer, label) == pytest.approx([0.04, 0.09])
    classes = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    assert STORMS.loss(classes, label) == pytest.approx([0.25, 0.0])
    assert COUNTS.loss(np.array([3.0, -1.0]), label) == pytest.approx([3.0, 2.0])


numbers = st.floats(-1e12, 1e12, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=20))
def test_excess_of_numbers_is_bounded_signed_and_antisymmetric(rows: list[tuple[float, float, float]]) -> None:
    served, other, label = (np.array(column) for column in zip(*rows, strict=True))
    found = COUNTS.excess(served, other, label)
    assert np.all(np.abs(found) <= 1)
    assert np.array_equal(np.sign(found), np.sign(np.abs(served - label) - np.abs(other - label)))
    assert np.array_equal(found, -COUNTS.excess(other, served, label))


@pytest.mark.parametrize(
    ("target", "answers", "problem"),
    [
        (BINARY, [0.5, np.nan], "finite"),
        (BINARY, [0.5, 1.5], r"not in \[0, 1\]"),
        (STORMS, [[0.5, 0.2, 0.2]], "sum to 1"),
        (COUNTS, [np.inf], "finite"),
    ],
)
def test_s15_illegal_answers_are_named(target: Target, answers: list[float], problem: str) -> None:
    found = target.problem(np.array(answers))
    assert found is not None
    assert pd.Series([found]).str.contains(problem).all()


def test_legal_answers_have_no_problem() -> None:
    assert BINARY.problem(np.array([0.0, 1.0])) is None
    assert STORMS.problem(np.array([[0.2, 0.3, 0.5]])) is None
    assert COUNTS.problem(np.array([-1e9, 3.0])) is None
