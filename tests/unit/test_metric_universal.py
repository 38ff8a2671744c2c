"""Every metric of the family against scikit-learn: none can be added without a reference and these promises."""

from __future__ import annotations

import numpy as np
import pytest
from metric_references import (
    CASES,
    CLASSES,
    REFERENCES,
    B,
    M,
    R,
    binary,
    data_of,
    every_case,
    every_metric,
    metric_of,
    take,
    tied,
)

from continual.metrics.base import METRICS, Rows


def test_every_metric_has_a_reference():
    assert set(REFERENCES) == set(METRICS.kinds)


@pytest.mark.parametrize("kind", METRICS.kinds)
def test_names_carry_the_parameters_that_change_the_meaning(kind):
    for fields, name, _ in REFERENCES[kind]:
        assert metric_of(kind, fields).name == name


@every_case
def test_estimate_equals_the_reference_on_weighted_rows(kind, fields, reference, task):
    metric = metric_of(kind, fields)
    for seed in range(12):
        rows, model = data_of(task, seed, n=int(np.random.default_rng(seed).integers(40, 400)))
        score = model(0.5, seed)
        score = tied(score, task) if seed % 2 else score
        found = metric.estimate(rows, score)
        assert found.value == pytest.approx(reference(rows.y, score, rows.weight), rel=1e-9, abs=1e-12)
        assert found.low < found.value < found.high
        assert (found.n, found.n_labelled) == (rows.n, len(rows))


@every_case
def test_order_of_rows_and_unit_of_weights_do_not_matter_and_weight_two_is_a_row_twice(kind, fields, reference, task):
    metric, (rows, model) = metric_of(kind, fields), data_of(task, 3)
    score, order = tied(model(0.5, 1), task), np.random.default_rng(0).permutation(400)
    found, mixed = metric.estimate(rows, score), metric.estimate(take(rows, order), score[order])
    assert (mixed.value, mixed.low, mixed.high) == pytest.approx((found.value, found.low, found.high), rel=1e-9)
    scaled = metric.estimate(Rows(rows.y, rows.weight * 7, rows.day, rows.n, rows.columns), score)
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((found.value, found.low, found.high), rel=1e-9)
    times = np.random.default_rng(1).integers(1, 4, 400)
    heavy = Rows(rows.y, times.astype(float), rows.day, rows.n, rows.columns)
    often = np.repeat(np.arange(400), times)
    light = Rows(rows.y[often], np.ones(len(often)), rows.day[often], rows.n, {"earned": rows.columns["earned"][often]})
    assert metric.estimate(heavy, score).value == pytest.approx(metric.estimate(light, score[often]).value, rel=1e-9)


@every_case
def test_gain_is_the_difference_and_positive_when_the_candidate_is_better(kind, fields, reference, task):
    metric, (rows, model) = metric_of(kind, fields), data_of(task, 7, n=2000)
    good, bad = model(0.05, 1), model(3.0, 2) + (1.5 if task is R else 0)
    if kind == "bias" and task is B:
        bad = np.sqrt(good)
    found, back = metric.compare(rows, good, bad), metric.compare(rows, bad, good)
    values = [reference(rows.y, s, rows.weight) for s in (good, bad)]
    if kind == "bias":
        values = np.abs(values)
    sign = 1 if metric.higher_is_better else -1
    assert found.gain == pytest.approx(sign * (values[0] - values[1]), rel=1e-9)
    assert found.gain > 0
    assert found.p_harm > 0.9
    assert back.gain == pytest.approx(-found.gain)
    assert back.p_harm < 0.1
    tie = metric.compare(rows, good, good.copy())
    assert (tie.gain, tie.low <= 0 <= tie.high, tie.p_harm >= 0.4) == (0, True, True)


@every_metric
def test_s18_what_cannot_be_evaluated_is_undefined_never_zero(kind, fields, reference, task):
    metric, (rows, model) = metric_of(kind), data_of(task, 10)
    score = model(0.5, 1)
    broken = score.copy()
    broken[17] = np.nan
    infinite = score.copy()
    infinite[17] = np.inf
    for case, scores, why in (
        (take(rows, slice(0)), score[:0], "no labelled rows"),
        (take(rows, slice(4)), score[:4], "not evaluable with 4 labels"),
        (rows, broken, "a score is not finite"),
        (rows, infinite, "a score is not finite"),
        (Rows(np.full(400, np.nan), rows.weight, rows.day, 400, rows.columns), score, "a label is"),
        (Rows(rows.y, rows.weight * 0, rows.day, 400, rows.columns), score, "a weight is not a positive finite"),
    ):
        estimate, comparison = metric.estimate(case, scores), metric.compare(case, scores, scores)
        assert estimate.method.startswith(f"undefined: {why}")
        assert comparison.method.startswith(f"undefined: {why}")
        assert (estimate.value, estimate.low, estimate.high, comparison.gain) == (None, None, None, None)
        assert (estimate.n, estimate.n_labelled) == (case.n, len(case))
    with pytest.raises(ValueError, match="one length"):
        metric.estimate(rows, score[:-1])


@pytest.mark.parametrize("kind", ["log_loss", "roc_auc"])
def test_rows_of_probabilities_must_sum_to_one(kind):
    rows, model = data_of(M, 11)
    score = model(0.5, 1)
    assert "do not sum to 1" in metric_of(kind).estimate(rows, score * 0.999).method
    assert metric_of(kind).estimate(rows, score * (1 + 1e-8)).defined
    rows.y[3] = 7
    assert "no class index from 0 to 3" in metric_of(kind).estimate(rows, score).method


TABLES = [
    c
    for c in CASES
    if metric_of(c.values[0], c.values[1]).carried().counts and (c.values[0], c.values[3]) != ("roc_auc", M)
]


@pytest.mark.parametrize(("kind", "fields", "reference", "task"), TABLES)
def test_contributions_are_the_derivative_by_the_weights(kind, fields, reference, task):
    metric, rng = metric_of(kind, fields), np.random.default_rng(4)
    shape = (
        (2, 2, 30)
        if "threshold" not in type(metric).model_fields
        else (2, CLASSES, CLASSES)
        if task is M
        else (2, 2, 2)
    )
    table, center = rng.uniform(1, 5, shape), np.linspace(0.01, 0.99, shape[2])
    table[:, 1] *= np.linspace(0.2, 2, shape[2])
    _, slope = metric.value_and_gradient(table, center)
    steps = np.zeros(shape)
    for at in np.ndindex(*shape):
        step = np.zeros(shape)
        step[at] = 1e-6
        high, low = (metric.value_and_gradient(table + s, center)[0] for s in (step, -step))
        steps[at] = (high - low)[at[0]] / 2e-6
    # Lift takes the rate at the boundary from the rows around it, the value from the boundary's column.
    off = (0.3 if kind == "lift" else 1e-6) * np.abs(slope).max()
    assert steps == pytest.approx(slope, abs=off)
    assert np.sum(slope * table, axis=(1, 2)) == pytest.approx([0, 0], abs=1e-12)


def test_a_missing_or_broken_column_is_named():
    metric = metric_of("business_value", {"column": "earned"})
    assert metric.needs == ("earned",)
    assert "'earned' is not among" in metric.estimate(binary([0, 1] * 9), np.full(18, 0.7)).method
    broken = binary([0, 1] * 9, earned=[np.nan] * 18)
    assert "'earned' is not finite" in metric.estimate(broken, np.full(18, 0.7)).method
    for fields in ({}, {"column": "a", "payoff": {}}):
        with pytest.raises(ValueError, match="either payoff"):
            metric_of("business_value", fields)


def test_bias_takes_no_floor():
    with pytest.raises(ValueError, match="takes no floor"):
        metric_of("bias", {"floor": 1})
