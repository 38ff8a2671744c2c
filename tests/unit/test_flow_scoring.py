"""Pipelines, their lineage, and scores that may be used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from continual.errors import ModelUnavailable, PolicyError
from continual.models.artifact import inputs_of, score
from continual.models.pipeline import MAX_CATEGORIES, EncodeCategories
from continual.models.recipe import build_pipeline, recipe_hash, trusted_types
from continual.models.spec import Features, Step, Trainer

FEATURES = Features(numeric=["x"], categorical=["c"])
FRAME = pd.DataFrame({"c": ["a", "b", "a", "b"], "x": [0.0, 1.0, 2.0, 3.0]})


class Fixed:
    """Answers what it is told."""

    def __init__(self, *answers: float) -> None:
        self.answers = answers

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        return np.column_stack([np.zeros(len(rows)), np.resize(self.answers, len(rows))])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -0.1, 1.1])
def test_s15_scores_that_are_no_probabilities_are_refused(bad: float) -> None:
    with pytest.raises(ModelUnavailable, match=r"must be in \[0, 1\]"):
        score(Fixed(0.5, bad), FRAME, ["x"])


def test_s43_a_missing_feature_is_named() -> None:
    with pytest.raises(ModelUnavailable, match="missing: \\['y'\\]"):
        score(Fixed(0.5), FRAME, ["x", "y"])


def test_a_model_that_fails_is_unavailable_and_says_how() -> None:
    with pytest.raises(ModelUnavailable, match=r"must score today's rows.*AttributeError"):
        score(object(), FRAME, ["x"])


def test_no_rows_have_no_scores() -> None:
    assert score(Fixed(0.5), FRAME.iloc[:0], ["x"]).shape == (0,)


def test_s24_a_fitted_model_reads_the_columns_it_was_fitted_on() -> None:
    model = build_pipeline(Trainer(name="t"), FEATURES, 0).fit(FRAME, np.array([0, 1, 0, 1]))
    assert inputs_of(model, ["x"]) == ["c", "x"]
    assert np.array_equal(score(model, FRAME, ["x", "new"]), score(model, FRAME, ["c", "x"]))
    assert inputs_of(Fixed(0.5), ["x", "y"]) == ["x", "y"]


def test_s19_an_unseen_name_is_missing_and_not_an_error() -> None:
    encoder = EncodeCategories(["x"], ["c"]).fit(FRAME)
    out = encoder.transform(pd.DataFrame({"c": ["a", "new", None], "x": [1, 2, 3]}))
    assert out["c"].cat.categories.tolist() == ["a", "b"]
    assert out["c"].isna().tolist() == [False, True, True]


def test_too_many_names_keep_the_most_frequent() -> None:
    names = [f"n{i:03d}" for i in range(MAX_CATEGORIES + 10)]
    frame = pd.DataFrame({"c": names + names[20:] * 2, "x": 0.0})
    known = EncodeCategories(["x"], ["c"]).fit(frame).categories_["c"]
    assert len(known) == MAX_CATEGORIES and set(names[20:]) <= set(known)


def test_s45_a_recipe_changes_with_parameters_and_features_and_not_with_its_name() -> None:
    base = recipe_hash(Trainer(name="a"), FEATURES)
    boosting = "sklearn.ensemble.HistGradientBoostingClassifier"
    assert recipe_hash(Trainer(name="b"), FEATURES) == base
    assert recipe_hash(Trainer(name="a"), Features(numeric=["x"])) != base
    assert recipe_hash(Trainer(name="a", steps=[Step(use=boosting, params={"max_iter": 3})]), FEATURES) != base


def test_s57_trusted_are_the_steps_of_the_policy_and_what_it_names() -> None:
    found = trusted_types(Trainer(name="a", trusted=["own.Type"]))
    assert "own.Type" in found and "continual.models.pipeline.EncodeCategories" in found
    assert not [name for name in found if name.startswith(("os.", "posix.", "builtins."))]


@pytest.mark.parametrize(
    ("step", "match"),
    [
        (Step(use="sklearn.nowhere.Thing", params={}), "import path must exist"),
        (Step(use="sklearn.linear_model.LogisticRegresion", params={}), "import path must exist"),
        (Step(use="sklearn.linear_model.LogisticRegression", params={"depth": 3}), "must accept its params"),
    ],
)
def test_s16_a_wrong_step_is_a_policy_error_that_names_it(step: Step, match: str) -> None:
    with pytest.raises(PolicyError, match=match) as caught:
        build_pipeline(Trainer(name="t", steps=[step]), FEATURES, 0)
    assert "'t'" in str(caught.value)
