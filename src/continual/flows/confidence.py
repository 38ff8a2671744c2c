"""How far a version's probabilities can be believed, from matured labels of rows it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.window import Window, day_window, days_of, floor_day
from continual.estimators._calibrate import recalibrate
from continual.estimators._temperature import temperature
from continual.flows.logged import labelled_rows
from continual.flows.training_rows import training_rows, unseen
from continual.flows.weights import inclusion, with_inclusion
from continual.flows.workspace import Workspace
from continual.policy.windows import matured_until
from continual.samplers.base import Calibration, Floats

if TYPE_CHECKING:
    import pandas as pd

#: Matured days that are looked at, newest first, until there are this many labels: two numbers need no more.
PAST, LABELS = timedelta(days=28), 20_000


def confidence(ws: Workspace, version: str, model: Any, as_of: datetime) -> Calibration | None:
    """`predict_proba`'s (n, K) answers -> calibrated ones; None where no label has matured that it was not trained on,
    and for numbers. model: as `pool.pool_of` wraps it; labels that were chosen weigh 1 / their chance."""
    if ws.policy.label.target.task == "regression":
        return None
    rows = _judging_rows(ws, version, as_of)
    if rows is None:
        return None
    chance = inclusion(rows)
    weight = np.ones(len(rows)) if chance is None else 1 / chance
    weight = weight * (len(weight) / weight.sum())  # as many labels as there are, not as many as they stand for
    return fitted(model.predict_proba(rows), rows["label"].to_numpy(dtype=np.int64), weight)


def fitted(answers: Floats, label: Any, weight: Floats) -> Calibration:
    """answers: (n, K). label: (n,) index of the class. weight: (n,)."""
    if answers.shape[1] > 2:
        return temperature(answers, label, weight)
    curve = recalibrate(answers[:, 1], weight * (label == 1), weight * (label == 0))

    def calibrated(found: Floats) -> Floats:
        p = curve(found[:, 1])
        return np.stack([1 - p, p], axis=1)

    return calibrated


def _judging_rows(ws: Workspace, version: str, as_of: datetime) -> pd.DataFrame | None:
    import pandas as pd

    found, n = [], 0
    trained = training_rows(ws, version)
    for part in _labelled_days(ws, as_of):
        found.append(unseen(part, trained))
        n += len(found[-1])
        if n >= LABELS:
            break
    return pd.concat(found, ignore_index=True) if n else None


def _labelled_days(ws: Workspace, as_of: datetime) -> Iterator[pd.DataFrame]:
    """Labelled rows of matured days, newest day first."""
    end = matured_until(ws.policy, as_of)
    start = max(end - PAST, floor_day(ws.policy.active.start))
    for day in reversed(days_of(Window(start, end))) if start < end else ():
        rows = with_inclusion(ws, labelled_rows(ws, day_window(day), as_of), day_window(day), as_of)
        yield rows[rows["label"].notna()]
