"""Every metric from cells: what rows say, mergeable, undefined with its reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from metric_references import BINNED, B, R, binary, cells_of, data_of, in_cells, metric_of, take

from continual.core.cells import ONE, Cells
from continual.metrics.base import Rows, carried_by


@in_cells
@pytest.mark.parametrize("days", [3, 20])
def test_cells_say_what_rows_say(kind, fields, reference, task, days):
    metric, (rows, model) = metric_of(kind, fields), data_of(task, 5, n=3000, days=days)
    if days == 3:  # independent rows: equal weights make the tables' variance exact
        rows = Rows(rows.y, np.full(3000, 2.0), rows.day, rows.n, rows.columns)
    score, groups = model(0.5, 1), np.arange(3000) % 3
    for s, found in enumerate(metric.from_cells(cells_of(metric, rows, score, task, groups))):
        exact = metric.estimate(take(rows, groups == s, 1000), score[groups == s])
        near = BINNED.get(kind, 0) * (1 if kind != "lift" else 10)
        assert found.value == pytest.approx(exact.value, rel=1e-9, abs=near)
        table = bool(metric.carried().counts) and days == 20  # of unequal weights it knows the mean square only
        width = pytest.approx(exact.high - exact.low, rel=0.05 if near or table else 1e-6)
        assert found.high - found.low == width
        assert (found.n, found.n_labelled) == (1000, 1000)
        assert ("binned" in found.method) is bool(near)
        assert ("1e-3" in found.method) is (kind in ("pr_auc", "calibration_error"))


@in_cells
def test_cells_of_two_halves_add_up_to_the_whole(kind, fields, reference, task):
    metric, (rows, model) = metric_of(kind, fields), data_of(task, 6, n=2000)
    score, half = model(0.5, 1), np.arange(2000) < 900
    whole = cells_of(metric, rows, score, task)
    parts = [cells_of(metric, take(rows, at), score[at], task) for at in (half, ~half)]
    added = Cells(
        whole.slices,
        whole.day,
        parts[0].n + parts[1].n,
        parts[0].n_labelled + parts[1].n_labelled,
        None if whole.counts is None else parts[0].counts + parts[1].counts,
        whole.center,
        whole.edge,
        {t: parts[0].sums[t] + parts[1].sums[t] for t in whole.sums},
        {p: parts[0].products[p] + parts[1].products[p] for p in whole.products},
    )
    (one,), (other,) = metric.from_cells(whole), metric.from_cells(added)
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high), rel=1e-9)


@in_cells
@pytest.mark.parametrize("weighted", [True, False])
def test_comparison_of_cells_is_close_to_that_of_rows(kind, fields, reference, task, weighted):
    metric, (rows, model) = metric_of(kind, fields), data_of(task, 8, n=3000)
    if not weighted:
        rows = Rows(rows.y, np.ones(3000), rows.day, rows.n, rows.columns)
    new, old = model(0.3, 1), model(0.6, 2)
    exact = metric.compare(rows, new, old)
    cells = [cells_of(metric, rows, s, task) for s in (new, old)]
    pair = cells_of(metric, rows, new, task, against=metric.terms(rows, old))
    (found,) = metric.compare_cells(*cells, pair)
    near = BINNED.get(kind, 0)
    assert found.n == exact.n
    assert found.gain == pytest.approx(exact.gain, rel=1e-7, abs=2 * near)
    moments = not metric.carried().counts
    # Tables of one model each cannot tell the spread of independent rows: days alone may be narrower.
    assert found.se == pytest.approx(exact.se, rel=1e-6) if moments else found.se <= exact.se * 1.1
    (alone,) = metric.compare_cells(*cells, None)
    assert (alone.gain, "clustered by 20 days" in alone.method) == (found.gain, True)
    assert alone.se <= found.se
    few = [cells_of(metric, *_first_days(rows, s), task) for s in (new, old)]
    (none,) = metric.compare_cells(*few, None)
    assert "between days" in none.method
    assert not none.defined


def _first_days(rows, score):
    at = rows.day < 103
    return take(rows, at), score[at]


@in_cells
def test_a_tie_of_cells_is_no_gain_and_other_rows_are_refused(kind, fields, reference, task):
    metric, (rows, model) = metric_of(kind, fields), data_of(task, 9)
    cells, less = (
        cells_of(metric, *part, task) for part in ((rows, model(1, 1)), (take(rows, slice(399)), model(1, 1)[:399]))
    )
    pair = cells_of(metric, rows, model(1, 1), task, against=metric.terms(rows, model(1, 1)))
    (tie,) = metric.compare_cells(cells, cells, pair)
    assert (tie.gain, tie.se, tie.p_harm) == (0, 0, 0.5)
    (other,) = metric.compare_cells(cells, less, None)
    assert "not scored on the same rows" in other.method


@in_cells
def test_a_slice_of_cells_that_cannot_be_evaluated_is_undefined_and_leaves_the_others(kind, fields, reference, task):
    metric, (rows, model) = metric_of(kind, fields), data_of(task, 12, n=1000)
    groups = np.where(np.arange(1000) < 4, 1, np.where(np.arange(1000) < 500, 2, 0))
    fine, few, also = metric.from_cells(cells_of(metric, rows, model(0.5, 1), task, groups))
    assert fine.defined
    assert also.defined
    assert few.method == "undefined: not evaluable with 4 labels, 5 are needed"
    assert (few.value, few.n_labelled) == (None, 4)


def _both(kind, rows, score, fields=None, task=B):
    """Methods of the estimate from rows and from cells."""
    metric = metric_of(kind, fields)
    (found,) = metric.from_cells(cells_of(metric, rows, score, task))
    return metric.estimate(rows, score), found


@pytest.mark.parametrize(
    ("kind", "y", "score", "why"),
    [
        ("precision", [0, 1] * 20, [0.2] * 40, "no row is decided positive"),
        ("recall", [0] * 40, [0.2, 0.8] * 20, "no label is positive"),
        ("f1", [0] * 40, [0.2] * 40, "no label is positive and no row is decided positive"),
        ("roc_auc", [0] * 40, [0.2, 0.8] * 20, "one class"),
        ("pr_auc", [1] * 40, [0.2, 0.8] * 20, "one class"),
        ("ks", [0] * 39 + [1], [0.2, 0.8] * 20, "one class"),
        ("lift", [0] * 40, [0.2, 0.8] * 20, "one class"),
        ("r2", [3.1] * 40, [0.2, 0.8] * 20, "all labels are equal"),
    ],
)
def test_undefined_has_its_reason_from_rows_and_from_cells(kind, y, score, why):
    task = R if kind == "r2" else B
    for found in _both(kind, binary(y), np.array(score), task=task):
        assert found.value is None
        assert found.method.startswith(f"undefined: {why}")


def test_a_zero_label_has_no_relative_error():
    rows, cells = _both("mape", binary([0.0] * 3 + [2.0] * 37), np.ones(40), task=R)
    assert rows.method.startswith("undefined: the label of 3 of 40 rows is 0")
    assert cells.method.startswith("undefined: a label is 0")


@pytest.mark.parametrize("kind", ["accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "ks", "lift"])
@pytest.mark.parametrize("right", [True, False])
def test_all_alike_is_no_certainty(kind, right):
    y = np.tile([1.0, 0.0], 30)
    score = 0.01 + 0.98 * (y if right else 1 - y)
    for found in _both(kind, binary(y), score, {"share": 0.5} if kind == "lift" else {}):
        assert found.low < found.high
        assert found.low <= found.value <= found.high
        if right and kind != "pr_auc":
            assert found.value == pytest.approx(2 if kind == "lift" else 1)
            assert found.low < 0.97 * found.value


@pytest.mark.parametrize("kind", ["log_loss", "brier"])
def test_cells_of_one_label_do_not_convict(kind):
    metric, rows = metric_of(kind), binary([0] * 40)
    cells = [cells_of(metric, rows, np.full(40, p), B) for p in (0.06, 0.04)]
    (found,) = metric.compare_cells(*cells, None)
    assert "about 0 labels of one class" in found.method
    assert metric.from_cells(cells[0])[0].defined


def test_cells_without_counts_edges_or_scores_say_so():
    metric, (rows, model) = metric_of("precision", {"threshold": 0.3}), data_of(B, 1)
    plain = cells_of(metric_of("precision", {"threshold": 0.37}), rows, model(1, 1), B)
    assert "no edge at the threshold 0.3" in metric.from_cells(plain)[0].method
    bare = cells_of(metric_of("mae"), rows, model(1, 1), B)
    assert "carry no counts" in metric.from_cells(bare)[0].method
    assert "do not carry" in metric_of("ks").from_cells(bare)[0].method
    lost = Cells(**{**plain.__dict__, "counts": plain.counts * 0.9})
    assert "without a usable score" in metric_of("ks").from_cells(lost)[0].method
    score = model(1, 1)
    score[5] = np.nan
    assert "not usable" in metric_of("brier").from_cells(cells_of(metric_of("brier"), rows, score, B))[0].method


def test_carried_by_is_the_union_in_a_fixed_order():
    metrics = [metric_of(kind) for kind in ("rmse", "f1", "r2", "calibration_error")]
    found = carried_by([*metrics, metric_of("precision", {"threshold": 0.25})])
    assert found == carried_by([*metrics, metric_of("precision", {"threshold": 0.25}), *metrics])
    assert found.terms == (ONE, "squared_error", "label", "squared_label")
    assert len({frozenset(p) for p in found.products}) == len(found.products)
    assert found.thresholds == (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert found.counts
    assert carried_by([]).terms == ()


@pytest.mark.parametrize("kind", ["mae", "rmse", "accuracy", "recall"])
@pytest.mark.parametrize("better", [True, False])
def test_models_that_differ_alike_on_every_row_get_the_sign_test_from_cells_too(kind, better):
    metric, rows = metric_of(kind), binary([1] * 20)
    task = R if kind in ("mae", "rmse") else B
    scores = [np.full(20, 0.9), np.full(20, 0.1)] if better else [np.full(20, 0.1), np.full(20, 0.9)]
    cells = [cells_of(metric, rows, s, task) for s in scores]
    pair = cells_of(metric, rows, scores[0], task, against=metric.terms(rows, scores[1]))
    (found,) = metric.compare_cells(*cells, pair)
    assert found.method.startswith("sign test, every row alike")
    assert found.p_harm == pytest.approx(1 - 0.5**20 if better else 0.5**20)
    assert (found.gain > 0, found.low > 0, found.high < 0) == (better, better, not better)
    if kind != "accuracy":  # of rows it has a binomial law of its own
        exact = metric.compare(rows, *scores)
        values = (found.gain, found.se, found.low, found.high, found.p_harm)
        assert values == pytest.approx((exact.gain, exact.se, exact.low, exact.high, exact.p_harm))
        assert found.df is exact.df is None


def test_cells_of_float32_and_of_whole_numbers_say_the_same():
    metric, (rows, model) = metric_of("pr_auc"), data_of(B, 13)
    rows = Rows(rows.y, np.ones(len(rows)), rows.day, rows.n, {})
    cells = cells_of(metric, rows, model(0.5, 1), B)
    (found,) = metric.from_cells(cells)
    for kind in (np.float32, np.uint16):
        (other,) = metric.from_cells(replace(cells, counts=cells.counts.astype(kind)))
        assert (other.value, other.low, other.high) == pytest.approx((found.value, found.low, found.high))


def test_a_slice_without_rows_in_most_days_is_clustered_by_its_own_days():
    metric, (rows, model) = metric_of("brier"), data_of(B, 14)
    groups = (rows.day < 107).astype(int)
    _, some = metric.from_cells(cells_of(metric, rows, model(0.5, 1), B, groups))
    exact = metric.estimate(take(rows, groups == 1), model(0.5, 1)[groups == 1])
    assert (some.value, some.low, some.high) == pytest.approx((exact.value, exact.low, exact.high))
