"""The default sampler: modAL's uncertainty of a really fitted champion, with a uniform floor."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from modAL.uncertainty import classifier_uncertainty
from pydantic import ValidationError
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from continual.samplers.base import Pool
from continual.samplers.uncertainty import Uncertainty
from continual.samplers.uniform import Uniform


@pytest.fixture(scope="module")
def pool():
    """Rows with a text column, scored by a pipeline that reads columns by name."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"carrier": rng.choice(["UA", "AA", "B6"], 600), "wind": rng.normal(size=600)})
    y = features["wind"] + (features["carrier"] == "UA") + rng.normal(size=600) > 0.5
    encode = OrdinalEncoder().set_output(transform="pandas")
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=20)).fit(features, y)
    return Pool(np.array([f"r{i}" for i in range(600)], dtype=object), features, model)


def test_probability_is_the_documented_mixture(pool):
    found = Uncertainty(budget=30, uniform_share=0.3).draw(pool, seed=0).probability
    u = classifier_uncertainty(pool.model, pool.features)
    confidence = pool.model.predict_proba(pool.features).max(axis=1)
    assert 1 - confidence == pytest.approx(u)
    spread = np.sqrt(confidence * (1 - confidence))
    assert found == pytest.approx(30 * (0.3 / 600 + 0.7 * spread / spread.sum()), rel=1e-9)


def test_unsure_rows_are_drawn_more_often_and_sure_ones_keep_the_floor(pool):
    found = Uncertainty(budget=30, uniform_share=0.3).draw(pool, seed=0).probability
    order = np.argsort(classifier_uncertainty(pool.model, pool.features))
    assert (np.diff(found[order]) >= -1e-12).all()
    assert found[order[-1]] > 1.5 * found[order[0]]
    assert found.min() >= 0.3 * 30 / 600


@pytest.mark.parametrize("chunk", [7, 29, 30, 10_000])
def test_chunks_change_nothing(pool, chunk):
    small = Pool(pool.keys[:30], pool.features[:30], pool.model)
    whole = Uncertainty(budget=10).draw(small, seed=0)
    parts = Uncertainty(budget=10, chunk=chunk).draw(small, seed=0)
    assert parts.probability == pytest.approx(whole.probability, rel=1e-12)
    assert np.array_equal(parts.chosen, whole.chosen)


def test_all_uniform_is_the_uniform_sampler(pool):
    mixed = Uncertainty(budget=30, uniform_share=1.0).draw(pool, seed=4)
    plain = Uniform(budget=30).draw(pool, seed=4)
    assert mixed.probability == pytest.approx(plain.probability)
    assert np.array_equal(mixed.chosen, plain.chosen)


class Sure:
    """A model that is never in doubt, with scores that add up to more than one as float32 does."""

    def __init__(self, top):
        self.top = top

    def predict_proba(self, features):
        return np.tile([self.top, 0.0], (len(features), 1))


@pytest.mark.parametrize("top", [1.0, 1.0000001])
def test_a_model_that_is_never_in_doubt_gives_uniform(pool, top):
    sample = Uncertainty(budget=30).draw(Pool(pool.keys, pool.features, Sure(top)), seed=0)
    assert sample.probability == pytest.approx(np.full(600, 0.05))


def test_scores_that_are_not_numbers_stop_the_draw(pool):
    with pytest.raises(ValueError, match="finite"):
        Uncertainty(budget=30).draw(Pool(pool.keys, pool.features, Sure(np.nan)), seed=0)


@pytest.mark.parametrize(
    "fields", [{"uniform_share": 0}, {"uniform_share": 1.1}, {"budget": 0}, {"chunk": 0}, {"power": 2}]
)
def test_parameters_that_would_ruin_the_estimate_are_refused(fields):
    with pytest.raises(ValidationError):
        Uncertainty(**fields)
