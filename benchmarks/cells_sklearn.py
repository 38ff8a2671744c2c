"""The ordinary way to the numbers of the cells: pandas and scikit-learn, slice by slice.

What a person writes who wants what the store gives: every metric of a slice; for its interval every metric again on
each day of the slice (`groupby`), and from the spread of the days their t interval; for the comparison of two models
the same of the daily differences. The rows of two models are the same, so the slice is selected and grouped once.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp, t
from sklearn import metrics as m

Values = dict[str, float]
#: 95% interval: value, lower and upper end.
Interval = tuple[float, float, float]


def values(rows: pd.DataFrame, score: str) -> Values:
    """Every metric of the benchmark on some rows."""
    y, p = rows["label"].to_numpy(), rows[score].to_numpy()
    hard = p >= 0.5
    top = p >= np.quantile(p, 0.9)
    bins = np.minimum((p * 10).astype(int), 9)
    gap = np.abs(np.bincount(bins, p, 10) - np.bincount(bins, y, 10)).sum() / len(p)
    return {
        "accuracy": float(m.accuracy_score(y, hard)),
        "precision": float(m.precision_score(y, hard)),
        "recall": float(m.recall_score(y, hard)),
        "f1": float(m.f1_score(y, hard)),
        "log_loss": float(m.log_loss(y, p)),
        "brier": float(m.brier_score_loss(y, p)),
        "roc_auc": float(m.roc_auc_score(y, p)),
        "pr_auc": float(m.average_precision_score(y, p)),
        "ks": float(ks_2samp(p[y == 1], p[y == 0]).statistic),
        "calibration_error": float(gap),
        "lift": float(y[top].mean() / y.mean()),
        "bias": float((p - y).mean()),
    }


def plain(rows: pd.DataFrame, scores: tuple[str, str]) -> tuple[Values, Values, Values]:
    """Both models' values on a slice, and their differences; no interval."""
    new, old = (values(rows, score) for score in scores)
    return new, old, {name: new[name] - old[name] for name in new}


def with_intervals(
    rows: pd.DataFrame, scores: tuple[str, str]
) -> tuple[Mapping[str, Interval], Mapping[str, Interval], Mapping[str, Interval]]:
    """The same with 95% intervals from the spread between the days."""
    new, old, gap = plain(rows, scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a day without a positive decision
        daily = [plain(of_day, scores) for _, of_day in rows.groupby("day")]
    found = zip((new, old, gap), zip(*daily, strict=True), strict=True)
    first, second, third = (_intervals(whole, pd.DataFrame(days)) for whole, days in found)
    return first, second, third


def _intervals(whole: Values, days: pd.DataFrame) -> Mapping[str, Interval]:
    half = t.ppf(0.975, len(days) - 1) * days.sem()
    return {name: (value, value - half[name], value + half[name]) for name, value in whole.items()}
