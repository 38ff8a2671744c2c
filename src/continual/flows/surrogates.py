"""What a metric is to an estimator: a mean of per-row values, or a function of the table of labels it can linearise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from continual.core.estimate import Estimate
from continual.core.stats.flaws import flaw
from continual.estimators._choose import Target, estimate
from continual.estimators._evidence import Bools, Evidence, Floats
from continual.estimators._plugged import Functional, Linear, plugged
from continual.metrics._confusion import decided
from continual.metrics._linearised import LinearisedMetric
from continual.metrics._moments import MomentMetric
from continual.metrics._table import TableMetric
from continual.metrics.accuracy import Accuracy
from continual.metrics.base import Metric, Rows

NO_WAY = "needs the label of every row that counts"


@dataclass(frozen=True)
class Served:
    """All N rows of a window as served. y: (N,) label, NaN = not known. score: (N,) or (N, K) answers. chance: (N,)
    calibrated probability of label 1, or (N, K); None = the answers are no probabilities. probability: (N,) chance of
    having a label, None = not recorded. columns: what metrics read besides."""

    y: Floats
    score: Floats
    chance: Floats | None
    day: npt.NDArray[np.int64]
    probability: Floats | None
    columns: Mapping[str, Floats] = field(default_factory=dict)

    def evidence(self, values: Values) -> Evidence:
        """With the chance of a label that was recorded."""
        return Evidence(
            values.own,
            self.day,
            values.expected,
            self.probability,
            lowest=values.lowest,
            highest=values.highest,
            variance=values.variance,
            skewed=True,
        )

    def rows(self, y: Floats | None = None) -> Rows:
        """As if all had the label `y` (default: their own)."""
        own = self.y if y is None else y
        return Rows(own, np.ones(len(own)), self.day, len(own), self.columns)

    def only(self, member: Bools) -> Served:
        """The rows of `member`, (N,) bool."""
        columns = {name: values[member] for name, values in self.columns.items()}
        chance, probability = (None if a is None else a[member] for a in (self.chance, self.probability))
        return Served(self.y[member], self.score[member], chance, self.day[member], probability, columns)


def estimated(metric: Metric, served: Served, member: Bools, target: Target = "traffic") -> Estimate:
    """The metric on the rows of `member` from the labels that are there, by the estimator that is honest with them."""
    values = None if _unusable(served) else row_values(metric, served)
    if values is not None:
        return estimate(served.evidence(values), None if member.all() else member, target)
    part = served.only(member)
    why = _unusable(part) or (None if isinstance(metric, TableMetric | MomentMetric) else NO_WAY)
    why = why or (None if part.score.ndim == 1 and part.chance is not None else f"{metric.kind} {NO_WAY}")
    if why:
        return Estimate.undefined(len(part.y), int(np.isfinite(part.y).sum()), why)
    evidence = part.evidence(Values(part.y, part.chance, 0.0, 1.0))
    return plugged(evidence, functional(metric, part), target, partial(_bounds, metric))


def _bounds(metric: Metric, value: float, half: float) -> tuple[float, float]:
    """The metric's own way to stay inside its range."""
    assert isinstance(metric, LinearisedMetric)  # noqa: S101
    inside = min(max(value, metric.lower), metric.upper)
    low, high = metric.interval(np.array([inside]), np.array([half]), np.array([np.inf]))
    return float(low[0]), float(high[0])


@dataclass(frozen=True)
class Values:
    """own: (N,) per-row values whose mean is the metric, NaN without a label; expected: (N,) by the model's confidence;
    lowest, highest: range. variance: (N,) by the model's confidence."""

    own: Floats
    expected: Floats | None
    lowest: float = -np.inf
    highest: float = np.inf
    variance: Floats | None = None


def row_values(metric: Metric, served: Served) -> Values | None:
    """The metric as a mean over rows, or None when it is none."""
    if not _is_mean(metric):
        return None
    known = np.isfinite(served.y)
    observed = np.where(known, _values(metric, served, np.where(known, served.y, 0.0)), np.nan)
    if served.chance is None:
        return Values(observed, None)
    classes = 2 if served.score.ndim == 1 else served.score.shape[1]
    each = np.stack([_values(metric, served, np.full(len(known), float(k))) for k in range(classes)], axis=1)
    chance = served.chance if served.chance.ndim == 2 else np.stack([1 - served.chance, served.chance], axis=1)
    expected = np.sum(chance * each, axis=1)
    variance = np.maximum(np.sum(chance * each**2, axis=1) - expected**2, 0.0)
    lowest, highest = (metric.lower, metric.upper) if isinstance(metric, LinearisedMetric) else (-np.inf, np.inf)
    return Values(observed, expected, lowest, highest, variance)


def _is_mean(metric: Metric) -> bool:
    plain = isinstance(metric, MomentMetric) and type(metric).value is MomentMetric.value and len(metric.names) == 2
    return plain or isinstance(metric, Accuracy)


def _values(metric: Metric, served: Served, y: Floats) -> Floats:
    if isinstance(metric, Accuracy):
        return np.asarray(decided(served.score, metric.threshold) == y, dtype=float)
    assert isinstance(metric, MomentMetric)  # noqa: S101
    return metric.terms(served.rows(y), served.score)[metric.names[-1]]


def _unusable(served: Served) -> str | None:
    if not len(served.y):
        return "no rows"
    if not np.isfinite(served.score).all():
        return "a score is not finite"
    if served.score.ndim == 2 or served.chance is None:
        return None
    known = np.isfinite(served.y)
    if not known.any():
        return None
    why = flaw(served.y[known], np.ones(int(known.sum())), served.score[known], probabilities=True)
    return None if why and "labels" in why else why


def functional(metric: Metric, served: Served) -> Functional:
    """`metric` of binary labels as a function of pseudo-labels (N,)."""
    return _of_table(metric, served) if isinstance(metric, TableMetric) else _of_moments(metric, served)


def _of_table(metric: TableMetric, served: Served) -> Functional:
    column, center, shape = metric.placed(served.rows(np.zeros(len(served.y))), served.score)

    def at(pseudo: Floats) -> Linear | str:
        rows = [np.bincount(column, weights=w, minlength=shape[1]) for w in (1 - pseudo, pseudo)]
        table: Floats = np.stack(rows).astype(float)[None, :, :]
        if table.sum(axis=2).min() <= 0:
            return "one class: the labels that are there leave none of the other"
        why = metric.reasons(table, np.ones(1))[0]
        if why:
            return why
        value, slope = metric.value_and_gradient(table, center)
        return Linear(float(value[0]), slope[0, 1][column], slope[0, 0][column])

    return at


def _of_moments(metric: Metric, served: Served) -> Functional:
    assert isinstance(metric, MomentMetric)  # noqa: S101
    n, names = len(served.y), metric.names
    down, up = (metric.terms(served.rows(np.full(n, y)), served.score) for y in (0.0, 1.0))
    below, above = (np.stack([terms[name] for name in names], axis=1) for terms in (down, up))

    def at(pseudo: Floats) -> Linear | str:
        totals = ((1 - pseudo) @ below + pseudo @ above)[None, :]
        why = metric.reasons(totals)[0]
        if why:
            return why
        slope = metric.gradient(totals)[0]
        return Linear(float(metric.value(totals)[0]), above @ slope, below @ slope)

    return at


def label_free(served: Served) -> Served:
    """Without the labels that came early: which rows they are of may depend on the outcome."""
    return replace(served, y=np.full(len(served.y), np.nan), probability=None)
