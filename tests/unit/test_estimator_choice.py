"""The estimator follows from what was recorded, says so, and is scored when the labels have matured."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from continual.core.estimate import Estimate
from continual.estimators._choose import Choice, choose, compare, estimate, score_choice
from continual.estimators.base import Evidence
from continual.estimators.ppi_pp import PpiPP

N = 1000


def _evidence(labels, seed=0):
    rng = np.random.default_rng(seed)
    f = rng.uniform(0.05, 0.5, N)
    pi = np.full(N, labels / N)
    observed = np.full(N, np.nan)
    chosen = rng.permutation(N)[:labels]
    observed[chosen] = (rng.random(labels) < f[chosen]).astype(float)
    return Evidence(observed, rng.integers(0, 10, N), f, pi, lowest=0.0, highest=1.0)


def _bare(labels):
    return replace(_evidence(labels), surrogate=None)


@pytest.mark.parametrize(
    ("evidence", "kind", "reason"),
    [
        (_evidence(N), "complete", "every row is labelled"),
        (replace(_bare(N), probability=None), "complete", "every row is labelled"),
        (_evidence(200), "ppi_pp", "200 labels"),
        (_evidence(29), "aipw", "too few to tune on"),
        (_evidence(5), "aipw", "5 labels are too few"),
        (_bare(200), "hajek", "expected loss is not recorded"),
        (_evidence(4), "cbpe", "4 labels, 5 are needed"),
        (replace(_evidence(0), probability=None), "cbpe", "0 labels"),
        (_bare(4), None, "4 labels, 5 are needed"),
        (replace(_evidence(200), probability=None), None, "labels were chosen, probabilities not recorded"),
        (replace(_evidence(200), probability=np.zeros(N)), None, "probability is not in"),
    ],
)
def test_the_choice_follows_from_what_is_recorded(evidence, kind, reason):
    chosen = choose(evidence)
    assert isinstance(chosen, Choice)
    assert (chosen.estimator and chosen.estimator.kind) == kind
    assert reason in chosen.reason
    found = estimate(evidence)
    assert reason in found.method
    assert found.defined is (kind is not None)
    if kind:
        assert f"; chosen: {kind}, " in found.method
    else:
        assert found.method.startswith("undefined: ")


def test_s13_labels_of_unknown_probability_give_no_number():
    found = estimate(replace(_evidence(300), probability=None))
    assert found == Estimate.undefined(N, 300, "labels were chosen, probabilities not recorded")


def test_without_labels_the_estimate_is_marked_label_free():
    found = estimate(_evidence(0))
    assert found.method.startswith("label-free (CBPE), early warning only")
    assert found.n_labelled == 0


def test_the_choice_does_not_read_the_values_of_labels():
    evidence = _evidence(200)
    turned = replace(evidence, observed=1 - evidence.observed)
    assert choose(evidence) == choose(turned)


def test_a_slice_with_few_labels_borrows_from_all_rows():
    evidence = _evidence(300)
    member = np.zeros(N, dtype=bool)
    member[np.flatnonzero(evidence.labelled)[:20]] = True
    member[np.flatnonzero(~evidence.labelled)[:60]] = True
    found = estimate(evidence, member)
    expected = PpiPP().estimate_slice(evidence, member)
    assert found.value == expected.value
    assert "chosen: ppi_pp, probabilities are recorded, tuned on 300 labels of all rows" in found.method
    assert (found.n, found.n_labelled) == (80, 20)
    assert estimate(evidence, np.ones(N, dtype=bool)).value == pytest.approx(estimate(evidence).value)


def test_the_target_is_passed_on():
    window, traffic = (estimate(_evidence(300), target=target) for target in ("window", "traffic"))
    assert window.value == traffic.value
    assert window.high - window.low < traffic.high - traffic.low
    assert "this window" in window.method


@pytest.mark.parametrize(
    ("low", "value", "high", "truth", "covered", "error"),
    [(0.1, 0.2, 0.3, 0.25, True, -0.5), (0.1, 0.2, 0.3, 0.4, False, -2.0), (0.1, 0.2, 0.3, 0.1, True, 1.0)],
)
def test_a_choice_is_scored_in_half_widths(low, value, high, truth, covered, error):
    score = score_choice(Estimate(value, low, high, 10, 5, "x"), truth)
    assert score.covered is covered
    assert score.error == pytest.approx(error)


def test_scores_of_exact_and_undefined_estimates():
    exact = Estimate(0.3, 0.3, 0.3, 10, 10, "x")
    assert score_choice(exact, 0.1 + 0.2) == (True, 0.0)
    assert score_choice(exact, 0.2) == (False, math.inf)
    assert score_choice(exact, 0.4) == (False, -math.inf)
    assert score_choice(Estimate.undefined(10, 2, "few"), 0.3) is None


def test_scores_over_many_windows_show_whether_the_choice_was_honest():
    """Label-free choices on a model that became overconfident score badly, weighted labels do not."""
    rng, scores = np.random.default_rng(3), {0: [], 150: []}
    for _ in range(150):
        f = rng.beta(1, 4, N)
        loss = (rng.random(N) < np.minimum(2 * f, 1)).astype(float)
        pi = np.minimum((0.1 + f) * 150 / (0.1 + f).sum(), 1)
        for labels, rows in scores.items():
            observed = np.where((rng.random(N) < pi) & (labels > 0), loss, np.nan)
            evidence = Evidence(observed, np.zeros(N, dtype=np.int64), f, pi, lowest=0.0, highest=1.0)
            rows.append(score_choice(estimate(evidence, target="window"), loss.mean()))
    assert np.mean([score.covered for score in scores[150]]) > 0.9
    assert np.mean([score.covered for score in scores[0]]) < 0.1
    assert np.mean([score.error for score in scores[0]]) < -3  # half-widths below the truth


def test_a_comparison_without_probabilities_is_undefined():
    found = compare(replace(_evidence(300), probability=None))
    assert not found.defined
    assert "probabilities not recorded" in found.method
