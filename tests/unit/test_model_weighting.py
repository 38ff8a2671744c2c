"""Row weights reach the estimator that learns, whatever stands around it, or the pipeline is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from continual.errors import PolicyError
from continual.models.weighting import fit, weight_key


def _pipe(last):
    return Pipeline([("0_scale", StandardScaler()), ("1_last", last)])


LEARNERS = {
    "plain": (LogisticRegression(), "1_last__sample_weight"),
    "nested": (_pipe(LogisticRegression()), "1_last__1_last__sample_weight"),
    "calibrated": (CalibratedClassifierCV(LogisticRegression(), cv=2), "1_last__sample_weight"),
    "search": (GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2), "1_last__sample_weight"),
    "search over a pipeline": (
        GridSearchCV(_pipe(LogisticRegression()), {"1_last__C": [1.0]}, cv=2),
        "1_last__1_last__sample_weight",
    ),
    "boosting": (HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5), "1_last__sample_weight"),
}


@pytest.fixture(scope="module")
def rows():
    """Two halves that say the opposite: weights decide which is believed."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"a": rng.normal(size=200)})
    old = np.arange(200) < 100
    return x, np.where(old, x["a"] > 0, x["a"] < 0).astype(float), np.where(old, 0.001, 2.0)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_weighted_half_is_believed(name, rows):
    last, key = LEARNERS[name]
    x, y, weight = rows
    model = _pipe(last)
    assert weight_key(model) == key
    fitted = fit(model, x, y, weight)
    assert (fitted.predict(pd.DataFrame({"a": [-1.5, 1.5]})) == [1, 0]).all()


@pytest.mark.parametrize("last", [KNeighborsClassifier(), BaggingClassifier(KNeighborsClassifier(), n_estimators=2)])
def test_an_estimator_that_takes_no_weights_is_refused(last, rows):
    with pytest.raises(PolicyError, match="sample_weight"):
        fit(_pipe(last), *rows)
    x, y, _ = rows
    fit(_pipe(last), x, y, None)  # without weights it is welcome
