from __future__ import annotations

import numpy as np
import pytest

from continual.core.stats.delong import auc_influence, delong_spread


def _brute(y, score):
    """AUC and DeLong's variance by all pairs, as in the paper of 1988."""
    x, z = score[y == 1], score[y == 0]
    psi = (x[:, None] > z[None, :]) + 0.5 * (x[:, None] == z[None, :])
    return psi.mean(), psi.mean(1), psi.mean(0)


def _data(seed, n=80, levels=12):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(float)
    y[:3], y[3:6] = 1, 0
    score = np.round(rng.random(n) * 0.7 + 0.3 * y * rng.random(n), 2)
    return y, np.floor(score * levels) / levels  # many ties


@pytest.mark.parametrize("seed", range(5))
def test_value_and_variance_equal_the_pairwise_definition_with_ties(seed):
    y, score = _data(seed)
    auc, v10, v01 = _brute(y, score)
    found, contributions = auc_influence(y, score, np.ones(len(y)))
    assert found == pytest.approx(auc, abs=1e-12)
    variance = v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)
    assert delong_spread(y, contributions).se == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_paired_difference_equals_the_pairwise_definition():
    y, first = _data(1)
    _, second = _data(2)
    _, a10, a01 = _brute(y, first)
    _, b10, b01 = _brute(y, second)
    variance = (a10 - b10).var(ddof=1) / len(a10) + (a01 - b01).var(ddof=1) / len(a01)
    ones = np.ones(len(y))
    share = auc_influence(y, first, ones)[1] - auc_influence(y, second, ones)[1]
    assert delong_spread(y, share).se == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_integer_weights_give_the_value_of_repeated_rows():
    y, score = _data(3)
    times = np.random.default_rng(0).integers(1, 5, len(y))
    weighted, contributions = auc_influence(y, score, times.astype(float))
    repeated, _, _ = _brute(np.repeat(y, times), np.repeat(score, times))
    assert weighted == pytest.approx(repeated, abs=1e-12)
    assert contributions[y == 1].sum() == pytest.approx(0, abs=1e-12)
    assert contributions[y == 0].sum() == pytest.approx(0, abs=1e-12)


def test_identical_scores_have_no_spread_and_few_positives_have_few_degrees_of_freedom():
    y, score = _data(4)
    _, share = auc_influence(y, score, np.ones(len(y)))
    assert delong_spread(y, share - share).se == 0.0
    few = np.zeros(len(y))
    few[:3] = 1
    _, share = auc_influence(few, score, np.ones(len(y)))
    assert 2 <= delong_spread(few, share).df < 10
