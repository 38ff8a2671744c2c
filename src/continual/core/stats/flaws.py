"""Why rows cannot be evaluated; metrics say 'undefined' with this, never a number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Fewer labels than this give no interval worth showing.
MIN_LABELS = 5


def flaw(y: Floats, weight: Floats, *scores: Floats, probabilities: bool) -> str | None:
    """The first reason why binary labels `y` and `scores` (all of shape (n,)) are not evaluable, or None.

    probabilities: scores must lie in [0, 1].

    Raises
    ------
    ValueError: the arrays have different lengths.
    """
    lengths = [len(y), len(weight), *map(len, scores)]
    if len(set(lengths)) > 1:
        raise ValueError(f"labels, weights and scores must have one length, got {lengths}")
    if len(y) < MIN_LABELS:
        return f"not evaluable with {len(y)} labels, {MIN_LABELS} are needed" if len(y) else "no labelled rows"
    checks = {
        "a label is neither 0 nor 1": (y == 0) | (y == 1),
        "a weight is not a positive finite number": np.isfinite(weight) & (weight > 0),
        "a score is not finite": np.isfinite(scores),
        "a score is not a probability in [0, 1]": [
            not probabilities or (s.min() >= 0 and s.max() <= 1) for s in scores
        ],
    }
    return next((why for why, holds in checks.items() if not np.all(holds)), None)


def one_class(y: Floats) -> str | None:
    """Why a ranking metric is undefined on `y`: each class needs two rows for a variance."""
    positives = int(np.sum(y == 1))
    if min(positives, len(y) - positives) >= 2:
        return None
    return f"one class: {positives} positive and {len(y) - positives} negative labels, 2 of each are needed"
