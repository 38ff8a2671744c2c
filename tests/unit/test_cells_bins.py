"""Score bins: found from bits they are what their edges say, and fine enough for a ranking metric."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score

from continual.cells.bins import ScoreBins
from continual.errors import PolicyError

Floats = npt.NDArray[np.float64]


@pytest.mark.parametrize("resolution", [256, 1024])
@pytest.mark.parametrize("thresholds", [(), (0.5,), tuple(k / 10 for k in range(1, 10)), (0.3, 0.3001, 0.30011)])
def test_the_bits_say_what_the_edges_say(resolution: int, thresholds: tuple[float, ...]) -> None:
    bins = ScoreBins(resolution, thresholds)  # type: ignore[arg-type]
    rng, edge = np.random.default_rng(0), bins.edge
    tiny = rng.beta(0.02, 1, 5000)
    near = [edge, np.nextafter(edge, -1), np.nextafter(edge, 2)]
    score = np.concatenate([rng.random(5000), tiny, 1 - tiny, *near, [0, 1, 0.5, 5e-324]])
    np.testing.assert_array_equal(bins.index(score), np.searchsorted(edge, score, side="right"))
    assert len(bins) == len(bins.center) == len(edge) + 1
    assert np.isin(thresholds, edge).all()
    assert 0.5 in edge
    assert (np.diff(edge) > 0).all()


def test_bins_are_symmetric_about_a_half() -> None:
    bins = ScoreBins(256)
    np.testing.assert_allclose(bins.center, 1 - bins.center[::-1], atol=1e-12)
    assert len(bins) == 256


def test_thresholds_outside_the_scores_are_refused() -> None:
    with pytest.raises(PolicyError, match=r"thresholds \[1.5\]"):
        ScoreBins(256, (1.5,))


def _auc(bins: ScoreBins, y: Floats, score: Floats) -> float:
    return float(roc_auc_score(y, bins.index(score)))


WORLDS = {
    "even": (0.0, 1.0, 0.0),
    "1% positives": (-4.6, 0.8, 0.0),
    "1% positives, weak model": (-4.6, 0.3, 0.0),
    "0.1% positives": (-7.0, 1.5, 0.0),
    "crowded near 1": (5.0, 1.0, 0.0),
    "overconfident": (-4.6, 3.0, 0.0),
    "pushed far down": (-4.6, 1.0, -4.0),
}


@pytest.mark.parametrize("world", WORLDS)
def test_auc_from_1024_bins_is_exact_to_3e_4(world: str) -> None:
    mean, spread, shift = WORLDS[world]
    rng = np.random.default_rng(1)
    logit = rng.normal(mean, spread, 200_000)
    y = (rng.random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(float)
    score = 1 / (1 + np.exp(-(logit + shift)))
    exact = float(roc_auc_score(y, score))
    assert abs(_auc(ScoreBins(1024), y, score) - exact) <= 3e-4
    assert abs(_auc(ScoreBins(256), y, score) - exact) <= 5e-3
