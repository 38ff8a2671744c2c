"""The default first step of a pipeline: logged columns -> what histogram gradient boosting reads."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

#: Histogram gradient boosting has 255 bins; one is kept for missing and unseen values.
MAX_CATEGORIES = 254


class EncodeCategories(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers as float64, names as pandas categoricals with the categories seen in training.

    Unseen names become missing, so that a new carrier is scored instead of failing. Columns that are in neither
    list (`extra` features) are dropped.

    Parameters
    ----------
    numeric, categorical: column names of the input DataFrame (n, >= d).
    """

    def __init__(self, numeric: list[str] | None = None, categorical: list[str] | None = None) -> None:
        self.numeric = numeric
        self.categorical = categorical

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the columns of X, and their categories, most frequent first when there are too many."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.categories_ = {
            name: sorted(X[name].dropna().astype(str).value_counts().index[:MAX_CATEGORIES])
            for name in self.categorical or []
        }
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """(n, d_categorical + d_numeric) DataFrame."""
        columns: dict[str, Any] = {
            name: pd.Categorical(X[name].astype(object).where(X[name].notna(), None), categories=known)
            for name, known in self.categories_.items()
        }
        for name in self.numeric or []:
            columns[name] = pd.to_numeric(X[name]).astype(float).to_numpy()
        return pd.DataFrame(columns, index=X.index)
