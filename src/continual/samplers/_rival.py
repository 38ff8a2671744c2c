"""Where champion and candidate do not say the same: elsewhere a label tells nothing about which is better."""

from __future__ import annotations

from typing import Any

import numpy as np

from continual.samplers._columns import Column
from continual.samplers._scores import by_chunk
from continual.samplers.base import Floats, Pool


class Said:
    """Probabilities that are known already, for modAL's measures: no model is asked twice."""

    def __init__(self, answers: Floats) -> None:
        self.answers = answers

    def predict_proba(self, features: Any) -> Floats:
        return self.answers


def differ(model: Any, rival: Any, features: Any, answers: Floats | None = None) -> Floats:
    """(m,): 1 where the most probable classes differ, else 0; of numbers the distance. answers: the model's (m, K) raw
    probabilities, if they are known."""
    if is_number(model):
        return np.asarray(np.abs(np.asarray(model.predict(features), dtype=float) - rival.predict(features)))
    ours = np.asarray(model.predict_proba(features), dtype=float) if answers is None else answers
    return np.asarray(ours.argmax(axis=1) != np.asarray(rival.predict_proba(features)).argmax(axis=1), dtype=float)


def is_number(model: Any) -> bool:
    """Whether a model answers with a number and not with probabilities."""
    return not hasattr(model, "predict_proba")


def disagreement(pool: Pool, chunk: int) -> Column | None:
    """(n,) of `differ`, or None when there are not two to compare, or they agree everywhere."""
    if pool.model is None or pool.rival is None:
        return None
    found = by_chunk(pool, lambda part: differ(pool.model, pool.rival, part), chunk)
    return found if found.any() else None
