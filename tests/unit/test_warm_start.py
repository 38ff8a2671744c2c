"""Continuing a fitted pipeline: for which estimators it is sound, and what goes on from where."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from continual.models.warm import continued, problem, same_classes


def rows(shift: float = 0.0, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(int(10 * shift)).normal(shift, 1, (n, 2))
    return x, (x[:, 0] > shift).astype(float)


def linear() -> Pipeline:
    last = SGDClassifier(loss="log_loss", max_iter=1, tol=None, learning_rate="constant", eta0=1e-3, random_state=0)
    return Pipeline([("scale", StandardScaler()), ("last", last)])


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (SGDClassifier(), None),
        (RandomForestClassifier(), None),
        (GradientBoostingClassifier(), None),
        (HistGradientBoostingClassifier(), "same rows"),
        (GaussianNB(), "no parameter `warm_start`"),
    ],
)
def test_only_estimators_that_can_go_on_with_other_rows_are_taken(model, why):
    found = problem(model)
    assert found is None if why is None else why in str(found)


def test_a_linear_model_goes_on_from_its_coefficients_behind_the_steps_as_they_were():
    old, new = rows(), rows(3.0)
    base = linear().fit(*old)
    before = base[-1].coef_.copy()
    made = continued(base, linear(), *new, None)
    assert np.array_equal(made[0].mean_, base[0].mean_)  # not those of the new rows
    cold = SGDClassifier(**base[-1].get_params()).fit(base[0].transform(new[0]), new[1])
    assert not np.allclose(made[-1].coef_, cold.coef_)
    assert np.array_equal(base[-1].coef_, before)  # the base serves on as it was
    weighted = continued(base, linear(), *new, np.full(300, 5.0))
    assert not np.allclose(weighted[-1].coef_, made[-1].coef_)


@pytest.mark.parametrize("kind", [RandomForestClassifier, GradientBoostingClassifier])
def test_an_ensemble_grows_by_what_the_recipe_has_and_keeps_its_members(kind):
    recipe = Pipeline([("last", kind(n_estimators=5, random_state=0))])
    base = kind(n_estimators=5, random_state=0)
    base = Pipeline([("last", base)]).fit(*rows())
    once = continued(base, recipe, *rows(1.0), None)
    twice = continued(once, recipe, *rows(2.0), None)
    assert [len(m[-1].estimators_) for m in (base, once, twice)] == [5, 10, 15]
    first = np.ravel(base[-1].estimators_)[0], np.ravel(twice[-1].estimators_)[0]
    assert np.array_equal(*(tree.tree_.threshold for tree in first))


def test_other_classes_are_seen_before():
    base = linear().fit(*rows())
    assert same_classes(base, np.array([0.0, 1.0, 1.0]))
    assert not same_classes(base, np.array([0.0, 1.0, 2.0]))
    assert not same_classes(base, np.array([1.0]))
