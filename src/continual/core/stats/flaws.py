"""Why rows cannot be evaluated; metrics say 'undefined' with this, never a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Fewer labels than this give no interval worth showing.
MIN_LABELS = 5
#: Probabilities of one row must sum to 1 within this.
SUM_TOLERANCE = 1e-6


def flaw(y: Floats, weight: Floats, *scores: Floats, probabilities: bool) -> str | None:
    """The first reason why binary labels `y` and `scores` (all of shape (n,)) are not evaluable, or None.

    probabilities: scores must lie in [0, 1].

    Raises
    ------
    ValueError: the arrays have different lengths.
    """
    return _first(
        (y, weight, *scores),
        {
            "a label is neither 0 nor 1": (y == 0) | (y == 1),
            "a weight is not a positive finite number": np.isfinite(weight) & (weight > 0),
            "a score is not finite": [bool(np.isfinite(s).all()) for s in scores],
            "a score is not a probability in [0, 1]": [not probabilities or _unit(s) for s in scores],
        },
    )


def flaw_classes(y: Floats, weight: Floats, *scores: Floats, probabilities: bool = True) -> str | None:
    """`flaw` for class indices `y` (n,) in 0..K-1 and scores (n, K); probabilities: each row must sum to 1.

    Raises
    ------
    ValueError: the arrays have different lengths, or the scores different numbers of classes.
    """
    classes = {s.shape[1] if s.ndim == 2 else 0 for s in scores}
    if len(classes) != 1 or 0 in classes:
        raise ValueError(f"scores must be (n, K) with one K, got {[s.shape for s in scores]}")
    k = classes.pop()
    return _first(
        (y, weight, *scores),
        {
            f"a label is no class index from 0 to {k - 1}": (y >= 0) & (y < k) & (y == np.floor(y)),
            "a weight is not a positive finite number": np.isfinite(weight) & (weight > 0),
            "a score is not finite": [bool(np.isfinite(s).all()) for s in scores],
            "a score is not a probability in [0, 1]": [not probabilities or _unit(s) for s in scores],
            "the probabilities of a row do not sum to 1": [not probabilities or _sums_to_one(s) for s in scores],
        },
    )


def flaw_numbers(y: Floats, weight: Floats, *scores: Floats) -> str | None:
    """`flaw` for labels that are numbers (regression): labels and scores must be finite.

    Raises
    ------
    ValueError: the arrays have different lengths.
    """
    return _first(
        (y, weight, *scores),
        {
            "a label is not finite": np.isfinite(y),
            "a weight is not a positive finite number": np.isfinite(weight) & (weight > 0),
            "a score is not finite": [bool(np.isfinite(s).all()) for s in scores],
        },
    )


def too_few(n_labelled: int) -> str | None:
    """Why a metric is undefined on so few labels, or None."""
    if n_labelled >= MIN_LABELS:
        return None
    return f"not evaluable with {n_labelled} labels, {MIN_LABELS} are needed" if n_labelled else "no labelled rows"


def one_class(y: Floats) -> str | None:
    """Why a ranking metric is undefined on `y`: each class needs two rows for a variance."""
    positives = int(np.sum(y == 1))
    if min(positives, len(y) - positives) >= 2:
        return None
    return f"one class: {positives} positive and {len(y) - positives} negative labels, 2 of each are needed"


def absent_class(y: Floats, classes: int) -> str | None:
    """Why one-vs-rest ranking of `classes` classes is undefined on `y`: each class needs two rows."""
    found = np.bincount(y.astype(np.int64), minlength=classes)
    rare = int(np.argmin(found))
    return f"class {rare} has {found[rare]} labels, 2 of each class are needed" if found[rare] < 2 else None


def _first(arrays: Sequence[Floats], checks: dict[str, Any]) -> str | None:
    lengths = [len(a) for a in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"labels, weights and scores must have one length, got {lengths}")
    return too_few(lengths[0]) or next((why for why, holds in checks.items() if not np.all(holds)), None)


def _unit(score: Floats) -> bool:
    return bool(np.all((score >= 0) & (score <= 1)))


def _sums_to_one(score: Floats) -> bool:
    return bool(np.all(np.abs(score.sum(axis=1) - 1) <= SUM_TOLERANCE))
