"""A last step for few labels: boosted trees and a regression on bent lines, averaged."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge

Floats = npt.NDArray[np.float64]
#: What a tree says of a class it never saw in a leaf; log 0 would silence the other model.
LEAST = 1e-4
#: Names with fewer rows have no indicator in the regression.
RARE = 5
TINY = 1e-9
TREES = ("max_iter", "max_leaf_nodes", "min_samples_leaf", "learning_rate", "random_state")


class _Blend(BaseEstimator):  # type: ignore[misc]
    """Both models on the same rows. They err in different places, trees where the truth is smooth, a regression where
    features interact, so that the mean is better than either, the more the fewer the labels
    (docs/results/label_efficiency.md).

    Parameters
    ----------
    knots: at how many quantiles of a number the regression may bend. penalty: ridge on its standardised columns.
    max_iter, max_leaf_nodes, min_samples_leaf, learning_rate: of the trees, small by default. Columns that are empty
    in training are not read.
    """

    def __init__(
        self,
        knots: int = 3,
        penalty: float = 0.3,
        max_iter: int = 120,
        max_leaf_nodes: int = 8,
        min_samples_leaf: int = 10,
        learning_rate: float = 0.08,
        random_state: int | None = 0,
    ) -> None:
        self.knots, self.penalty = knots, penalty
        self.max_iter, self.max_leaf_nodes = max_iter, max_leaf_nodes
        self.min_samples_leaf, self.learning_rate = min_samples_leaf, learning_rate
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike, sample_weight: Floats | None = None) -> Self:
        """X: (n, d), names as categoricals or text, numbers may be missing (`EncodeCategories` gives this). y: (n,).
        sample_weight: (n,) or None."""
        rows = pd.DataFrame(X)
        names = list(rows.select_dtypes(exclude="number").columns)
        self.levels_ = {name: _levels(rows[name]) for name in names}
        self.cuts_ = {c: _cuts(rows[c], self.knots) for c in rows if c not in names and rows[c].notna().any()}
        shared = {name: getattr(self, name) for name in TREES}
        self.trees_ = self._trees(l2_regularization=1.0, **shared)
        self.trees_.fit(self._codes(rows), y, sample_weight=sample_weight)
        basis = self._basis(rows)
        self.centre_, self.scale_ = basis.mean(axis=0), np.maximum(basis.std(axis=0), TINY)
        self.lines_ = self._regression()
        self.lines_.fit((basis - self.centre_) / self.scale_, y, sample_weight=sample_weight)
        return self

    def _codes(self, rows: pd.DataFrame) -> Floats:
        """(n, d) for the trees: a name by its place in the alphabet. With few labels a tree that may put names together
        freely learns them by heart."""
        columns = [_code(rows[name], [v for v, _ in known]) for name, known in self.levels_.items()]
        return np.column_stack([*columns, *(_number(rows[name]) for name in self.cuts_)])

    def _basis(self, rows: pd.DataFrame) -> Floats:
        """(n, k) for the regression: a number, bent at each inner cut and flat beyond the outer ones, and an indicator
        of each name that is not rare."""
        out = [np.zeros(len(rows))]
        for name, cuts in self.cuts_.items():
            first, *inner, last = cuts
            value = np.clip(_number(rows[name]), first, last)
            value = np.where(np.isnan(value), np.median(cuts), value)
            out += [value, *(np.maximum(value - cut, 0) for cut in inner)]
        for name, known in self.levels_.items():
            code = _code(rows[name], [v for v, _ in known])
            out += [(code == i).astype(float) for i, (_, n) in enumerate(known) if n >= RARE]
        return np.column_stack(out)

    def _said(self, X: pd.DataFrame, answer: str) -> Floats:
        """(2, n, ...) what each of the two says."""
        rows = pd.DataFrame(X)
        basis = (self._basis(rows) - self.centre_) / self.scale_
        return np.stack([getattr(self.trees_, answer)(self._codes(rows)), getattr(self.lines_, answer)(basis)])


class BlendClassifier(ClassifierMixin, _Blend):  # type: ignore[misc]
    """Mean of the logarithms of the two models' probabilities, normalised."""

    _trees = HistGradientBoostingClassifier

    def _regression(self) -> Any:
        return LogisticRegression(C=1 / self.penalty, max_iter=500)

    @property
    def classes_(self) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self.trees_.classes_
        return found

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """(n, K) by `classes_`."""
        mean = np.exp(np.log(np.clip(self._said(X, "predict_proba"), LEAST, 1)).mean(axis=0))
        return np.asarray(mean / mean.sum(axis=1, keepdims=True))

    def predict(self, X: pd.DataFrame) -> npt.NDArray[Any]:
        """(n,) classes."""
        found: npt.NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found


class BlendRegressor(RegressorMixin, _Blend):  # type: ignore[misc]
    """Mean of the two models' values."""

    _trees = HistGradientBoostingRegressor

    def _regression(self) -> Any:
        return Ridge(alpha=self.penalty)

    def predict(self, X: pd.DataFrame) -> Floats:
        """(n,)."""
        return np.asarray(self._said(X, "predict").mean(axis=0))


def _levels(values: pd.Series[Any]) -> list[tuple[str, int]]:
    """Names and how many rows have them, in alphabetical order."""
    counts = values.dropna().astype(str).value_counts()
    return sorted((str(name), int(n)) for name, n in counts.items() if n)


def _cuts(values: pd.Series[Any], knots: int) -> list[float]:
    """Least, largest and inner quantiles, the inner ones each once."""
    found = np.nanquantile(_number(values), np.linspace(0, 1, knots + 2))
    inner = [cut for cut in np.unique(found) if found[0] < cut < found[-1]]
    return [float(cut) for cut in (found[0], *inner, found[-1])]


def _code(values: pd.Series[Any], known: list[str]) -> Floats:
    """(n,) place among the `known` names; -1: missing, or not seen in training."""
    found = pd.Categorical(values.astype(object).where(values.notna(), None).astype(str), categories=known)
    return np.asarray(found.codes, dtype=float)


def _number(values: pd.Series[Any]) -> Floats:
    return np.asarray(pd.to_numeric(values), dtype=float)
