"""Cells of days whose labels a sampler chose: unbiased where counting each label once is not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from continual.cells.build import Day, build_day
from continual.cells.plan import Plan
from continual.cells.window import stack
from continual.core.slices import SliceSpec
from continual.metrics.base import METRICS

DAYS, ROWS = range(12), 400
KINDS = ("accuracy", "brier", "log_loss", "roc_auc", "recall")
PLAN = Plan((SliceSpec(by="region"),), tuple(METRICS.get(kind)(kind=kind, owner="test") for kind in KINDS))


def _world():
    rng = np.random.default_rng(5)
    score = rng.beta(1.2, 2.5, (len(DAYS), ROWS))
    label = (rng.random(score.shape) < np.clip(score * 1.2, 0, 1)).astype(float)
    region = rng.choice(["east", "west"], score.shape)
    doubt = (score * (1 - score)) ** 3
    chance = np.clip(0.05 + 0.15 * doubt / doubt.mean(), 0, 1)
    return score, label, region, chance


def _values(score, label, region, weight):
    """Of `overall` and region=east, by metric: estimates."""
    blocks = []
    for day in DAYS:
        columns = {"label": pa.array(label[day], from_pandas=True), "s": score[day], "region": region[day]}
        table = pa.table(columns if weight is None else {**columns, "w": weight[day]})
        blocks.append(build_day(Day(day, table, {"1": ("s",)}, weight=None if weight is None else "w"), PLAN)["1"])
    cells = stack(blocks, PLAN.specs)
    at = [cells.slices.index(name) for name in ("overall", "region=east")]
    return {m.kind: [m.from_cells(cells)[i] for i in at] for m in PLAN.metrics}


def test_s13_over_many_draws_weighted_cells_centre_on_the_truth_and_plain_ones_do_not():
    score, label, region, chance = _world()
    truth = _values(score, label, region, None)
    rng, weighted, plain, covered = np.random.default_rng(6), [], [], []
    for _ in range(25):
        seen = np.where(rng.random(chance.shape) < chance, label, np.nan)
        one = _values(score, seen, region, 1 / chance)
        weighted.append([[e.value for e in one[kind]] for kind in KINDS])
        covered.append([[e.low <= t.value <= e.high for e, t in zip(one[k], truth[k], strict=True)] for k in KINDS])
        plain.append([[e.value for e in found] for found in _values(score, seen, region, None).values()])
    true = np.array([[e.value for e in truth[kind]] for kind in KINDS])

    def off(values):
        """Bias in its standard errors: (metrics, slices)."""
        return np.abs(np.mean(values, axis=0) - true) / (np.std(values, axis=0, ddof=1) / np.sqrt(len(values)))

    assert (off(weighted) < 4).all()
    assert (off(plain)[:4] > 8).all()  # recall hardly leans
    assert np.mean(covered) > 0.9


def test_days_with_and_without_chosen_labels_add_up():
    score, label, region, chance = _world()
    half = np.where(np.arange(len(DAYS))[:, None] < 6, chance, 1.0)
    rng = np.random.default_rng(7)
    seen = np.where(rng.random(chance.shape) < half, label, np.nan)
    every = _values(score, seen, region, 1 / half)
    blocks = []
    for day in DAYS:
        columns = {"label": pa.array(seen[day], from_pandas=True), "s": score[day], "region": region[day]}
        weight = "w" if day < 6 else None
        table = pa.table({**columns, "w": 1 / half[day]} if weight else columns)
        blocks.append(build_day(Day(day, table, {"1": ("s",)}, weight=weight), PLAN)["1"])
    cells = stack(blocks, PLAN.specs)
    for metric in PLAN.metrics:
        found, expected = metric.from_cells(cells)[0], every[metric.kind][0]
        assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))
