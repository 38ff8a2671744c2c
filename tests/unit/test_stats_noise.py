from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from continual.core.estimate import Comparison, Estimate
from continual.core.label_noise import NoiseRate
from continual.core.stats.additive import mean_comparison
from continual.core.stats.denoised import noise_adjusted
from continual.core.stats.noise import MISSING, agreement, review_list, symmetric_noise


def _annotations(rng, n=300, annotators=2, classes=3, noise=0.25):
    truth = rng.integers(0, classes, n)
    wrong = rng.random((n, annotators)) < noise
    return np.where(wrong, rng.integers(0, classes, (n, annotators)), truth[:, None])


def test_cohens_kappa_and_its_interval_are_the_known_ones():
    labels = _annotations(np.random.default_rng(0))
    found = agreement(labels)
    table = np.zeros((3, 3))
    np.add.at(table, (labels[:, 0], labels[:, 1]), 1)
    oracle = cohens_kappa(table)
    assert found.value == pytest.approx(cohen_kappa_score(labels[:, 0], labels[:, 1]))
    assert (found.high - found.low) / 2 == pytest.approx(oracle.std_kappa * 1.96, rel=0.01)
    assert found.method.startswith("Cohen")


def test_fleiss_kappa_is_the_known_one_and_ignores_the_order_of_annotators():
    labels = _annotations(np.random.default_rng(1), annotators=4)
    found = agreement(labels)
    assert found.value == pytest.approx(fleiss_kappa(aggregate_raters(labels)[0]))
    assert agreement(labels[:, ::-1]) == found
    assert found.method.startswith("Fleiss")


def test_the_interval_of_fleiss_kappa_covers():
    rng, covered = np.random.default_rng(2), 0
    truth = agreement(_annotations(rng, n=200_000, annotators=3)).value
    for _ in range(400):
        found = agreement(_annotations(rng, n=80, annotators=3))
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 400 <= 0.98


def test_missing_annotations_are_left_out():
    rng = np.random.default_rng(3)
    labels = _annotations(rng, annotators=3)
    labels[rng.random(labels.shape) < 0.3] = MISSING
    found = agreement(labels)
    several = (labels != MISSING).sum(axis=1) >= 2
    assert (found.n, found.n_labelled) == (300, several.sum())
    assert found.value == pytest.approx(agreement(labels[several]).value)
    full = agreement(_annotations(np.random.default_rng(3), annotators=3))
    assert found.value == pytest.approx(full.value, abs=0.1)


def test_agreement_by_chance_is_0_and_perfect_agreement_1():
    rng = np.random.default_rng(4)
    by_chance = [agreement(rng.integers(0, 2, (200, 2))) for _ in range(600)]
    assert 0.93 <= np.mean([found.low < 0 < found.high for found in by_chance]) <= 0.97
    assert np.mean([found.value for found in by_chance]) == pytest.approx(0, abs=0.01)
    one = rng.integers(0, 2, 50)
    assert agreement(np.column_stack([one, one])).value == pytest.approx(1)


def test_agreement_that_cannot_be_known_is_undefined():
    assert "one class" in agreement(np.zeros((30, 2), dtype=np.int64)).method
    few = np.full((30, 3), MISSING)
    few[:4] = 1
    assert "4 rows have two labels" in agreement(few).method
    with pytest.raises(ValueError, match="matrix"):
        agreement(np.zeros(5, dtype=np.int64))


def _double(rng, n, eta):
    truth = rng.integers(0, 2, n)
    return tuple(np.where(rng.random(n) < eta, 1 - truth, truth) for _ in range(2))


@pytest.mark.parametrize("eta", [0.02, 0.1, 0.25])
def test_the_noise_rate_is_found_and_its_interval_covers(eta):
    rng = np.random.default_rng(5)
    found = [symmetric_noise(*_double(rng, 400, eta)) for _ in range(600)]
    values = np.array([f.estimate.value for f in found])
    assert values.mean() == pytest.approx(eta, abs=0.006)
    covered = np.mean([f.estimate.low <= eta <= f.estimate.high for f in found])
    assert 0.94 <= covered <= 0.99  # Clopper-Pearson is never too narrow
    assert np.mean([f.se for f in found]) == pytest.approx(values.std(), rel=0.12)


def test_no_disagreement_among_few_labels_is_not_certainty():
    same = np.array([0, 1] * 10)
    found = symmetric_noise(same, same)
    assert found.estimate.value == 0
    assert 0.05 < found.estimate.high < 0.2
    assert found.se > 0.01


def test_labels_no_better_than_chance_have_no_rate():
    same = np.array([0, 1] * 10)
    assert "no better than chance" in symmetric_noise(same, 1 - same).estimate.method
    assert symmetric_noise(same, 1 - same).se is None
    assert not symmetric_noise(same[:4], same[:4]).estimate.defined
    with pytest.raises(ValueError, match="0 and 1"):
        symmetric_noise(same, same + 1)
    with pytest.raises(ValueError, match="one length"):
        symmetric_noise(same, same[:-1])


def test_noise_shrinks_a_difference_and_the_adjustment_covers_the_clean_one():
    rng, eta, n = np.random.default_rng(6), 0.15, 3000
    shrunk, adjusted, covered, plain = [], [], 0, 0
    for _ in range(400):
        y = rng.integers(0, 2, n)
        wrong = rng.random((2, n)) < np.array([[0.28], [0.2]])  # champion, candidate
        noisy = np.where(rng.random(n) < eta, 1 - y, y)
        losses = (np.where(wrong, 1 - y, y) != noisy).astype(float)
        raw = mean_comparison(losses[0] - losses[1], np.ones(n), np.zeros(n, dtype=np.int64))
        found = noise_adjusted(raw, symmetric_noise(*_double(rng, 500, eta)))
        shrunk.append(raw.gain)
        adjusted.append(found.gain)
        covered += found.low <= 0.08 <= found.high
        plain += raw.low <= 0.08 <= raw.high
        assert found.p_harm == raw.p_harm
    assert np.mean(shrunk) == pytest.approx(0.08 * (1 - 2 * eta), abs=0.002)
    assert np.mean(adjusted) == pytest.approx(0.08, abs=0.003)
    assert 0.93 <= covered / 400 <= 0.975
    assert plain / 400 < 0.8


def test_the_delta_interval_is_the_written_formula():
    raw = Comparison(0.03, 0.01, 0.01, 0.05, 0.99, 500, "paired t")
    found = noise_adjusted(raw, NoiseRate(Estimate(0.1, 0.07, 0.13, 300, 300, "x"), 0.02))
    assert found.gain == pytest.approx(0.03 / 0.8)
    assert found.se**2 == pytest.approx((0.01 / 0.8) ** 2 + (2 * 0.03 / 0.8**2 * 0.02) ** 2)
    assert found.high - found.gain == pytest.approx(1.959964 * found.se)
    assert "300 double labels" in found.method


def test_an_adjustment_that_cannot_be_known_is_undefined():
    raw = Comparison(0.03, 0.01, 0.01, 0.05, 0.99, 500, "paired t")
    wide = NoiseRate(Estimate(0.3, 0.1, 0.5, 8, 8, "x"), 0.2)
    assert "no better than chance" in noise_adjusted(raw, wide).method
    unknown = NoiseRate(Estimate.undefined(3, 3, "3 rows"), None)
    assert not noise_adjusted(raw, unknown).defined
    nothing = Comparison.undefined(0, "no rows")
    assert noise_adjusted(nothing, wide) is nothing


def test_the_review_list_is_the_papers_on_a_worked_example():
    probability = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.45, 0.55]])
    given = np.array([0, 0, 0, 1, 1, 0])
    # thresholds: class 0 (.9+.8+.1+.45)/4 = .5625, class 1 (.7+.8)/2 = .75; row 3 and 5 reach none
    found = review_list(given, probability)
    assert found.joint.tolist() == [[2, 1], [0, 1]]
    assert found.positions.tolist() == [2]


def test_the_review_list_finds_flipped_labels_most_suspicious_first():
    rng, n = np.random.default_rng(7), 3000
    truth = rng.integers(0, 2, n)
    positive = 1 / (1 + np.exp(-rng.normal(np.where(truth == 1, 1.5, -1.5), 1.5)))
    flipped = rng.random(n) < 0.08
    given = np.where(flipped, 1 - truth, truth)
    found = review_list(given, np.column_stack([1 - positive, positive]))
    assert flipped[found.positions].mean() > 3 * flipped.mean()
    assert flipped[found.positions[:100]].mean() > 1.2 * flipped[found.positions].mean()
    assert flipped[found.positions].sum() > 0.6 * flipped.sum()
    assert found.joint.sum() - np.trace(found.joint) == len(found.positions) == len(set(found.positions.tolist()))
    margin = np.where(given == 1, 2 * positive - 1, 1 - 2 * positive)
    assert (np.diff(margin[found.positions]) >= 0).all()


def test_the_review_list_refuses_what_is_no_probability_and_bears_absent_classes():
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        review_list(np.array([0, 1]), np.array([[1.2, -0.2], [0.5, np.nan]]))
    with pytest.raises(ValueError, match=r"classes 0\.\.1"):
        review_list(np.array([0, 2]), np.full((2, 2), 0.5))
    absent = review_list(np.array([0, 0]), np.array([[0.9, 0.1], [0.1, 0.9]]))
    assert absent.positions.tolist() == []
    assert "never for dropping rows" in review_list.__doc__
