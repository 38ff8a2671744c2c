"""Reference values of every metric, weighted rows of every task, and cells by plain sums, for the tests of metrics."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from continual.core.cells import ONE, Cells
from continual.metrics.base import METRICS, Rows, Task

B, M, R = Task.BINARY, Task.MULTICLASS, Task.REGRESSION
CLASSES = 4


def _ratio(function, threshold=0.5, average="macro"):
    def value(y, s, w):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if s.ndim == 1:
                return function(y, s >= threshold, sample_weight=w, zero_division=np.nan)
            return function(y, s.argmax(1), sample_weight=w, average=average, zero_division=np.nan)

    return value


def _accuracy(threshold):
    def value(y, s, w):
        return sk.accuracy_score(y, s >= threshold if s.ndim == 1 else s.argmax(1), sample_weight=w)

    return value


def _ece(bins):
    def value(y, s, w):
        at = np.minimum((s * bins).round(9).astype(int), bins - 1)
        return sum(abs(np.sum((w * (y - s))[at == k])) for k in range(bins)) / w.sum()

    return value


def _lift(q):
    def value(y, s, w):
        left, found = q * w.sum(), 0.0
        for score in sorted(set(s.tolist()), reverse=True):  # greedily from the top, ties in part
            here = s == score
            take = min(left / w[here].sum(), 1.0)
            found, left = found + take * w[here & (y == 1)].sum(), left - take * w[here].sum()
        return found / (q * w.sum()) / np.average(y, weights=w)

    return value


def _ks(y, s, w):
    fpr, tpr, _ = sk.roc_curve(y, s, sample_weight=w, drop_intermediate=False)
    return np.max(tpr - fpr)


def _log_loss(y, s, w):
    return sk.log_loss(y, s, sample_weight=w, labels=range(2 if s.ndim == 1 else s.shape[1]))


def _roc(y, s, w):
    if s.ndim == 1:
        return sk.roc_auc_score(y, s, sample_weight=w)
    return np.mean([sk.roc_auc_score(y == k, s[:, k], sample_weight=w) for k in range(s.shape[1])])


def _payoff(y, s, w):
    worth = {(1, True): 5.0, (0, True): -2.0, (1, False): -3.0, (0, False): 0.5}
    return np.average([worth[int(a), bool(b)] for a, b in zip(y, s >= 0.5, strict=True)], weights=w)


def _column(y, s, w):
    return np.average(np.where(s >= 0.3, _earned(len(y)), 0), weights=w)


def _earned(n):
    return np.random.default_rng(99).normal(3, 2, n)


PAYOFF = {"tp": 5, "fp": -2, "fn": -3, "tn": 0.5}
#: kind -> [(parameters, name, reference)]; the first one stands for the kind in the tests of promises.
REFERENCES = {
    "accuracy": [({}, "accuracy", _accuracy(0.5)), ({"threshold": 0.3}, "accuracy@0.3", _accuracy(0.3))],
    "precision": [
        ({}, "precision", _ratio(sk.precision_score)),
        ({"threshold": 0.3}, "precision@0.3", _ratio(sk.precision_score, 0.3)),
        ({"average": "weighted"}, "precision_weighted", _ratio(sk.precision_score, average="weighted")),
    ],
    "recall": [
        ({}, "recall", _ratio(sk.recall_score)),
        ({"average": "weighted"}, "recall_weighted", _ratio(sk.recall_score, average="weighted")),
    ],
    "f1": [
        ({}, "f1", _ratio(sk.f1_score)),
        ({"average": "micro"}, "f1_micro", _ratio(sk.f1_score, average="micro")),
        ({"average": "weighted", "threshold": 0.4}, "f1@0.4_weighted", _ratio(sk.f1_score, 0.4, "weighted")),
    ],
    "log_loss": [({}, "log_loss", _log_loss)],
    "brier": [({}, "brier", lambda y, s, w: sk.brier_score_loss(y, s, sample_weight=w))],
    "roc_auc": [({}, "roc_auc", _roc)],
    "pr_auc": [({}, "pr_auc", lambda y, s, w: sk.average_precision_score(y, s, sample_weight=w))],
    "calibration_error": [({}, "calibration_error", _ece(10)), ({"bins": 7}, "calibration_error@7", _ece(7))],
    "ks": [({}, "ks", _ks)],
    "lift": [({}, "lift", _lift(0.1)), ({"share": 0.25}, "lift@0.25", _lift(0.25))],
    "mae": [({}, "mae", lambda y, s, w: sk.mean_absolute_error(y, s, sample_weight=w))],
    "rmse": [({}, "rmse", lambda y, s, w: sk.root_mean_squared_error(y, s, sample_weight=w))],
    "mape": [({}, "mape", lambda y, s, w: sk.mean_absolute_percentage_error(y, s, sample_weight=w))],
    "r2": [({}, "r2", lambda y, s, w: sk.r2_score(y, s, sample_weight=w))],
    "bias": [({}, "bias", lambda y, s, w: np.average(s - y, weights=w))],
    "quantile_loss": [
        ({}, "quantile_loss", lambda y, s, w: sk.mean_pinball_loss(y, s, sample_weight=w)),
        (
            {"quantile": 0.9},
            "quantile_loss@0.9",
            lambda y, s, w: sk.mean_pinball_loss(y, s, sample_weight=w, alpha=0.9),
        ),
    ],
    "business_value": [
        ({"payoff": PAYOFF}, "business_value", _payoff),
        ({"column": "earned", "threshold": 0.3}, "business_value_earned@0.3", _column),
    ],
}
#: How far a value from 1,024 bins may lie from the one of the rows; else rounding only.
BINNED = {"roc_auc": 3e-4, "pr_auc": 2e-3, "calibration_error": 1e-3, "ks": 0.01, "lift": 0.01}
CASES = [
    pytest.param(kind, fields, reference, task, id=f"{name}-{task}")
    for kind, entries in REFERENCES.items()
    for fields, name, reference in entries
    for task in sorted(METRICS.get(kind).tasks)
]
FIRST = [
    pytest.param(kind, entries[0][0], entries[0][2], task, id=f"{kind}-{task}")
    for kind, entries in REFERENCES.items()
    for task in sorted(METRICS.get(kind).tasks)
]
every_case = pytest.mark.parametrize(("kind", "fields", "reference", "task"), CASES)
every_metric = pytest.mark.parametrize(("kind", "fields", "reference", "task"), FIRST)
in_cells = pytest.mark.parametrize(
    ("kind", "fields", "reference", "task"), [c for c in CASES if (c.values[0], c.values[3]) != ("roc_auc", M)]
)


def metric_of(kind, fields=None):
    return METRICS.get(kind)(owner="risk", **(REFERENCES[kind][0][0] if fields is None else fields))


def data_of(task, seed, n=400, days=20, noise=0.6):
    """Weighted rows and a function that makes scores of a given noise."""
    rng = np.random.default_rng(seed)
    weight, day = rng.uniform(0.5, 6, n), rng.integers(100, 100 + days, n)
    columns = {"earned": _earned(n)}
    if task is R:
        truth = rng.normal(5, 2, n)
        y = np.where((y := truth + rng.normal(0, noise, n)) == 0, 1.0, y)
        return Rows(y, weight, day, n + 30, columns), lambda s, k: truth + np.random.default_rng(k).normal(0, s, n)
    logit = rng.normal(-0.5, 1.3, (n, CLASSES) if task is M else n)
    if task is M:
        y = (logit + rng.gumbel(size=logit.shape)).argmax(1).astype(float)
        return Rows(y, weight, day, n + 30, columns), lambda s, k: _softmax(logit, s, k)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    rows = Rows(y, weight, day, n + 30, columns)
    return rows, lambda s, k: 1 / (1 + np.exp(-logit - np.random.default_rng(k).normal(0, s, n)))


def _softmax(logit, noise, seed):
    z = np.exp(logit + np.random.default_rng(seed).normal(0, noise, logit.shape))
    return z / z.sum(1, keepdims=True)


def tied(score, task):
    if task is not M:
        return np.round(score, 2 if task is B else 1)
    score = np.round(score, 1) + 0.01
    return score / score.sum(1, keepdims=True)


def take(rows, at, n=None):
    columns = {k: v[at] for k, v in rows.columns.items()}
    return Rows(rows.y[at], rows.weight[at], rows.day[at], rows.n if n is None else n, columns)


def _edges(metric, bins=1024):
    """Logit-spaced edges with the thresholds of the metric among them."""
    plain = 1 / (1 + np.exp(-np.linspace(-9, 9, bins - 1)))
    return np.unique([*plain, *metric.carried().thresholds])


def cells_of(metric, rows, scores, task, groups=None, against=None):
    """Cells by plain sums. scores: of the model; against: of the champion, then the terms' differences."""
    groups = np.zeros(len(rows), int) if groups is None else groups
    carried, days = metric.carried(), np.unique(rows.day)
    shape = (len(days), groups.max() + 1)
    at = (np.searchsorted(days, rows.day), groups)

    def add(values, *more, into=()):
        out = np.zeros((*shape, *into))
        np.add.at(out, (*at, *more), values)
        return out

    terms = metric.terms(rows, scores)
    if against is not None:
        terms = {k: v - against_v for (k, v), against_v in zip(terms.items(), against.values(), strict=True)}
    terms[ONE] = np.ones(len(rows))
    counts = center = edge = None
    if carried.counts and task is M:
        counts = add(rows.weight, rows.y.astype(int), scores.argmax(1), into=(CLASSES, CLASSES))
    elif carried.counts:
        edge = _edges(metric)
        bin_of = np.searchsorted(edge, scores, side="right")
        counts = add(rows.weight, rows.y.astype(int), bin_of, into=(2, len(edge) + 1))
        inner = np.concatenate(([edge[0] / 2], (edge[1:] + edge[:-1]) / 2, [(1 + edge[-1]) / 2]))
        center = inner
    return Cells(
        tuple(f"s{i}" for i in range(shape[1])),
        days,
        add(1).astype(int),
        add(1).astype(int),
        counts,
        center,
        edge,
        {t: add(rows.weight * terms[t]) for t in {ONE, *carried.terms}},
        {(t, u): add(rows.weight**2 * terms[t] * terms[u]) for t, u in carried.products},
    )


def binary(y, **columns):
    n = len(y)
    return Rows(np.asarray(y, float), np.ones(n), np.arange(n) % 20, n, {k: np.asarray(v) for k, v in columns.items()})
