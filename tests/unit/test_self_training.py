"""Rows without a label in training: the teacher's answers, what they count, which rows, and that nothing changes
without the option."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from continual.flows.unlabelled import beside, first
from continual.models.recipe import recipe_hash
from continual.models.self_training import Rows, self_trained
from continual.models.spec import Features, SelfTraining, Trainer

RECIPE = {"steps": [{"use": "sklearn.linear_model.LogisticRegression"}]}


class Spy:
    """Fits a regression and keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[pd.DataFrame, np.ndarray, np.ndarray | None]] = []

    def __call__(self, features, label, weight):
        self.given.append((features, label, weight))
        return LogisticRegression().fit(features, label, sample_weight=weight)


def _rows(n, seed, known=True, weight=None):
    rng = np.random.default_rng(seed)
    features = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    truth = (features["a"] + rng.logistic(size=n) / 3 > 0).to_numpy(dtype=float)
    return Rows(features, truth if known else np.full(n, np.nan), weight)


def test_every_row_counts_for_each_class_by_the_teachers_probability():
    learn, known, spare = Spy(), _rows(60, 1), _rows(200, 2, known=False)
    model, n = self_trained(learn, known, spare, SelfTraining(weight=0.5))
    (_, first_label, first_weight), (features, label, weight) = learn.given
    assert first_weight is None and np.isfinite(first_label).all() and n == 200
    assert np.isfinite(label).all() and set(label) == {0.0, 1.0}
    assert (weight[:60] == 1).all() and features.iloc[:60].equals(known.features)
    # each row's share is 0.5, but for classes below a hundredth, which are left away
    assert 0.5 * 200 * 0.99 <= weight[60:].sum() <= 0.5 * 200
    teacher = LogisticRegression().fit(known.features, known.label).predict_proba(spare.features)
    mean = (weight[60:] * label[60:]).sum() / weight[60:].sum()
    assert mean == pytest.approx(teacher[:, 1].mean(), abs=0.01)
    assert hasattr(model, "predict_proba")


def test_only_what_the_teacher_is_sure_of_counts_as_a_label():
    learn, known, spare = Spy(), _rows(60, 1), _rows(200, 2, known=False)
    _, n = self_trained(learn, known, spare, SelfTraining(sure=0.9, weight=1.0))
    _, label, weight = learn.given[1]
    teacher = LogisticRegression().fit(known.features, known.label).predict_proba(spare.features)
    sure = teacher.max(axis=1) >= 0.9
    assert n == sure.sum() and 0 < n < 200
    assert weight is None  # a recipe that takes no weights can learn so
    assert label[60:].tolist() == teacher[sure].argmax(axis=1).tolist()


def test_weights_of_rows_are_kept_and_an_old_row_without_a_label_counts_less():
    decay = np.linspace(0.1, 2, 200)
    learn, known, spare = Spy(), _rows(60, 1, weight=np.full(60, 3.0)), _rows(200, 2, known=False, weight=decay)
    self_trained(learn, known, spare, SelfTraining(sure=0.5, weight=0.5))
    assert (learn.given[0][2] == 3).all() and (learn.given[1][2][:60] == 3).all()
    assert learn.given[1][2][60:] == pytest.approx(0.5 * decay)


def test_the_teacher_is_the_model_where_it_has_nothing_to_say():
    learn = Spy()
    _, none = self_trained(learn, _rows(60, 1), _rows(0, 2, known=False), SelfTraining())
    _, unsure = self_trained(learn, _rows(60, 1), _rows(5, 2, known=False), SelfTraining(sure=0.9999999))
    assert (none, unsure) == (0, 0) and len(learn.given) == 2


def test_rows_without_a_label_are_an_even_draw_however_they_come():
    rows = pd.DataFrame({"record_key": [f"k{i}" for i in range(5000)], "x": np.arange(5000.0)})
    whole = first(rows, 500, seed=3)
    held = rows.iloc[:0]
    for start in range(0, 5000, 700):
        held = first(pd.concat([held, rows.iloc[start : start + 700].iloc[::-1]]), 500, seed=3)
    assert held["record_key"].tolist() == whole["record_key"].tolist()
    assert first(rows, 500, seed=4)["record_key"].tolist() != whole["record_key"].tolist()
    assert whole["x"].mean() == pytest.approx(2500, abs=4 * 1443 / np.sqrt(500))
    assert first(rows, 50, seed=3).equals(whole.head(50))


def test_labelled_rows_come_first_and_the_others_have_no_label():
    own = pd.DataFrame({"record_key": ["a"], "label": [1.0], "probability": [0.2], "x": [1.0]})
    spare = pd.DataFrame({"record_key": ["b", "c"], "label": [np.nan, np.nan], "x": [2.0, 3.0], "other": [0, 0]})
    both = beside(own, spare)
    assert both["record_key"].tolist() == ["a", "b", "c"] and list(both) == list(own)
    assert both["label"].isna().tolist() == [False, True, True] and both["probability"].tolist() == [0.2, 1, 1]
    assert beside(own, spare.iloc[:0]) is own and beside(own, None) is own


def test_the_option_is_part_of_the_lineage_and_without_it_nothing_changes():
    features = Features(numeric=["a"])
    plain, taught = Trainer(name="t", **RECIPE), Trainer(name="t", self_training={}, **RECIPE)
    other = Trainer(name="t", self_training={"weight": 1.0}, **RECIPE)
    assert plain.self_training is None
    assert len({recipe_hash(t, features) for t in (plain, taught, other)}) == 3
