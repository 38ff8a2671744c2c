"""A handful of labels: exactly as many as asked for, with exact chances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from continual.flows.label_few import exactly
from continual.samplers._designs import keyed_uniform
from continual.samplers.base import Sample

N = 120
KEYS = np.array([f"row-{i}" for i in range(N)], dtype=object)
FREE = np.arange(N) % 3 > 0


def _poisson(seed):
    """Two components that make sum(pi) of about 5; a row that is certain among them."""
    rng = np.random.default_rng(3)
    parts = {"uniform": np.full(N, 0.02), "needed": 0.06 * rng.random(N) * (rng.random(N) < 0.5)}
    parts["needed"][1] = 1.0
    pi = 1 - (1 - parts["uniform"]) * (1 - parts["needed"])
    return Sample(keyed_uniform(KEYS, seed) < pi, pi, parts)


@pytest.mark.parametrize("rows", [1, 3, 29])
def test_s13_few_rows_are_as_many_as_asked_for_each_with_its_chance(rows):
    n = 500
    drawn = [exactly(_poisson(seed), rows, FREE, KEYS, seed) for seed in range(n)]
    pi = drawn[0].probability
    assert pi[FREE].sum() == pytest.approx(rows) and all(np.array_equal(one.probability, pi) for one in drawn)
    assert {int(one.chosen[FREE].sum()) for one in drawn} == {rows}
    seen = np.mean([one.chosen for one in drawn], axis=0)
    inner = FREE & (pi < 1)
    z = (seen - pi)[inner] / np.sqrt((pi * (1 - pi))[inner] / n)
    assert (z**2).sum() < chi2.ppf(0.9999, inner.sum())


def test_other_rows_keep_their_chance_and_their_draw():
    before = _poisson(7)
    after = exactly(before, 4, FREE, KEYS, 7)
    assert np.array_equal(after.chosen[~FREE], before.chosen[~FREE])
    assert np.array_equal(after.probability[~FREE], before.probability[~FREE])


@pytest.mark.parametrize("rows", [1, 4, 29, 500])
def test_components_still_make_the_chance_of_the_row(rows):
    found = exactly(_poisson(1), rows, FREE, KEYS, 1)
    together = 1 - np.prod([1 - part for part in found.components.values()], axis=0)
    assert together == pytest.approx(found.probability, abs=1e-9)
    assert all(((part >= 0) & (part <= 1)).all() for part in found.components.values())


def test_more_than_there_are_is_every_free_row():
    found = exactly(_poisson(2), 500, FREE, KEYS, 2)
    assert found.chosen[FREE].all() and (found.probability[FREE] == 1).all()
