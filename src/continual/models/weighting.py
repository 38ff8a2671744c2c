"""Row weights into pipelines whose steps may be any estimator of scikit-learn's kind."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.errors import PolicyError


def fit(model: Any, rows: Any, label: npt.NDArray[np.float64], weight: npt.NDArray[np.float64] | None) -> Any:
    """`model` fitted. rows: (n, d). label: (n,). weight: (n,) of the last step's fit, or None = all the same.

    Raises
    ------
    PolicyError: there are weights and the last step takes none.
    """
    if weight is None:
        return model.fit(rows, label)
    key = weight_key(model)
    if key is None:
        raise PolicyError(
            "A pipeline must take row weights (window.half_life, window.weigh_by_probability, self_training).",
            f"the `fit` of {_last(model)} has no `sample_weight`.",
            "use another last step, or do without weights (`self_training` can: `sure` and weight 1).",
        )
    return model.fit(rows, label, **{key: weight})


def weight_key(estimator: Any) -> str | None:
    """Name of the parameter of `fit` that brings weights to the estimator that learns: `sample_weight`, behind the
    names of the steps of pipelines and through searches, which hand on what they are given. None: it takes none."""
    steps = getattr(estimator, "steps", None)
    if steps is not None:
        name, last = steps[-1]
        key = weight_key(last)
        return None if key is None else f"{name}__{key}"
    accepted = inspect.signature(estimator.fit).parameters
    if "sample_weight" in accepted:
        inner = getattr(estimator, "estimator", None)  # a meta-estimator accepts them for an estimator that does not
        return "sample_weight" if inner is None or weight_key(inner) is not None else None
    hands_on = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    inner = getattr(estimator, "estimator", None)
    return weight_key(inner) if hands_on and inner is not None else None


def _last(model: Any) -> str:
    steps = getattr(model, "steps", None)
    return _last(steps[-1][1]) if steps is not None else type(model).__name__
