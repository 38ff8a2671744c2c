"""Rows of a table as points, and centres spread among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from continual.samplers.base import Floats

#: Values of a column of names that get an axis of their own; the rest share one.
MOST_VALUES = 20


def vectors(example: Any) -> Callable[[Any], Floats]:
    """Fitted on `example` (m, d): tables (n, d) -> points (n, D). Numbers in units of their spread, gaps at the mean;
    names as 0/1 axes, so that two different names are as far apart as two numbers one spread apart."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    if not hasattr(example, "dtypes") or not hasattr(example, "columns"):
        return _checked(numbers.fit(example))
    names = make_pipeline(
        FunctionTransformer(_as_text),
        OneHotEncoder(max_categories=MOST_VALUES, handle_unknown="infrequent_if_exist", sparse_output=False),
        FunctionTransformer(_shrunk),
    )
    number = make_column_selector(dtype_include="number")
    other = make_column_selector(dtype_exclude="number")
    return _checked(make_column_transformer((numbers, number), (names, other)).fit(example))


def farthest_first(points: Floats, k: int) -> Floats:
    """(k, D) centres: the first point, then always the one farthest from the others (Gonzalez 1985). points: (m, D)."""
    chosen = [0]
    distance = ((points - points[0]) ** 2).sum(axis=1)
    while len(chosen) < k:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _checked(transformer: Any) -> Callable[[Any], Floats]:
    return lambda rows: np.asarray(transformer.transform(rows), dtype=float)


def _as_text(rows: Any) -> Any:
    return rows.astype(object).where(rows.notna(), "missing").astype(str)


def _shrunk(ones: Floats) -> Floats:
    return np.asarray(ones / np.sqrt(2))
