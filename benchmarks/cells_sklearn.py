"""The ordinary way: one slice of a frame, every metric by scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn import metrics as m


def metrics_of_slice(rows: pd.DataFrame, score: str) -> dict[str, float]:
    """Values only, no interval."""
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
