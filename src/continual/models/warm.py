"""Continue a fitted pipeline on new rows instead of starting anew: for estimators for which that is sound."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.models.weighting import weight_key

Floats = npt.NDArray[np.float64]


def problem(last: Any) -> str | None:
    """Why this estimator, the last step of a pipeline, cannot be continued on other rows; None = it can.

    Histogram boosting bins anew at each `fit`, so that trees of other rows would be read with wrong thresholds
    (scikit-learn: "for results to be valid, the estimator should be re-trained on the same data only").
    """
    name = type(last).__name__
    if name.startswith("HistGradientBoosting"):
        return f"{name} can only be continued on the same rows"
    if "warm_start" not in last.get_params():
        return f"{name} has no parameter `warm_start`"
    return None


def continued(base: Any, fresh: Any, rows: Any, label: Floats, weight: Floats | None) -> Any:
    """A copy of the fitted pipeline `base`, its last step fitted on from where it was. The steps before stay as they
    were fitted: what the last step learnt speaks of their columns.

    fresh: the unfitted pipeline of the recipe; an ensemble grows by as many members as that has. rows: (n, d). label:
    (n,). weight: (n,) or None.
    """
    model = copy.deepcopy(base)
    last, wanted = model[-1], fresh[-1].get_params()
    settings = {"warm_start": True}
    if "n_estimators" in wanted:
        settings["n_estimators"] = len(last.estimators_) + wanted["n_estimators"]
    last.set_params(**settings)
    key = weight_key(last)
    extra = {} if weight is None or key is None else {key: weight}
    last.fit(model[:-1].transform(rows) if len(model) > 1 else rows, label, **extra)
    return model


def same_classes(base: Any, label: Floats) -> bool:
    """Whether the rows show exactly the classes the pipeline knows; numbers always do."""
    known = getattr(base[-1], "classes_", None)
    return known is None or np.array_equal(np.unique(label), known)
