"""The last step for few labels: an estimator like any other, and better than its parts where labels are few."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from continual.models.blend import BlendClassifier, BlendRegressor
from continual.models.pipeline import EncodeCategories
from continual.models.recipe import trusted_types
from continual.models.spec import Trainer
from continual.models.weighting import fit

FEATURES = ("a", "b", "c")


def _rows(n, seed, classes=2):
    """A smooth effect of `a`, a step in `b` where `c` is big, names that shift; holes, a rare name, one never seen."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=list(FEATURES))
    frame["name"] = rng.choice(["x", "y", "z"], n)
    logit = 1.5 * np.sin(frame["a"]) + 2 * ((frame["b"] > 0) & (frame["c"] > 0)) + (frame["name"] == "x") - 1
    y = (logit + rng.logistic(size=n) > 0).astype(float) + (rng.random(n) < 0.2) * (classes > 2)
    frame.loc[::7, "a"] = np.nan
    frame.loc[0, "name"] = None
    return frame, y.to_numpy()


def _pipe(last):
    return make_pipeline(EncodeCategories(list(FEATURES), ["name"]), last)


def test_few_labels_are_worth_more_than_in_trees_alone():
    later, truth = _rows(4000, 99)
    gains = []
    for seed in range(5):
        x, y = _rows(150, seed)
        blend, trees = (
            roc_auc_score(truth, _pipe(last).fit(x, y).predict_proba(later)[:, 1])
            for last in (BlendClassifier(), HistGradientBoostingClassifier(random_state=0))
        )
        gains.append(blend - trees)
    assert np.mean(gains) > 0.01


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_of_the_classes_and_sum_to_one(classes):
    x, y = _rows(400, 1, classes)
    model = _pipe(BlendClassifier()).fit(x, y)
    said = model.predict_proba(x)
    assert list(model.classes_) == sorted(set(y)) and said.sum(axis=1) == pytest.approx(np.ones(400))
    assert (model.predict(x) == model.classes_[said.argmax(axis=1)]).all()
    assert log_loss(y, said, labels=model.classes_) < np.log(len(model.classes_))


def test_missing_unseen_and_empty_columns_are_answered():
    x, y = _rows(300, 2)
    x["b"] = np.nan
    model = _pipe(BlendClassifier()).fit(x, y)
    odd = pd.DataFrame({"a": [np.nan, 1e6], "b": [1.0, np.nan], "c": [0.0, -1e6], "name": ["never seen", None]})
    assert np.isfinite(model.predict_proba(odd)).all()
    assert np.isfinite(
        BlendClassifier().fit(x.to_numpy()[:, [0, 2]].astype(float), y).predict_proba(np.zeros((2, 2)))
    ).all()


def test_weights_reach_both_and_skops_takes_it_as_it_is():
    x, y = _rows(300, 3)
    weight = np.where(y == 1, 5.0, 1.0)
    plain, heavy = (fit(_pipe(BlendClassifier()), x, y, w) for w in (None, weight))
    said = [model[-1]._said(model[0].transform(x), "predict_proba")[:, :, 1].mean(axis=1) for model in (plain, heavy)]
    assert (said[1] > said[0] + 0.1).all()
    uses = ["continual.models.pipeline.EncodeCategories", "continual.models.blend.BlendClassifier"]
    known = trusted_types(Trainer(name="few", steps=[{"use": use} for use in uses]))
    assert set(skops.io.get_untrusted_types(data=skops.io.dumps(plain))) <= set(known)
    again = skops.io.loads(skops.io.dumps(plain), trusted=sorted(known))
    assert np.array_equal(again.predict_proba(x), plain.predict_proba(x))


def test_numbers_are_predicted_by_the_mean_of_both():
    x, _ = _rows(500, 4)
    value = 3 * np.sin(x["a"].fillna(0)) + (x["b"] > 0)
    model = BlendRegressor().fit(x, value)
    assert model.score(x, value) > 0.9


def test_a_linear_truth_is_not_lost():
    rng = np.random.default_rng(5)
    x = pd.DataFrame(rng.normal(size=(6000, 6))).add_prefix("x")
    y = (x.sum(axis=1) + rng.logistic(size=6000) > 0).astype(float)
    own = roc_auc_score(y[200:], BlendClassifier().fit(x[:200], y[:200]).predict_proba(x[200:])[:, 1])
    line = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[:200], y[:200])
    assert own > roc_auc_score(y[200:], line.predict_proba(x[200:])[:, 1]) - 0.03
