"""Every model that any policy of the benchmark could train, fitted once: its answers to all later rows, and its CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from policies_data import Stream

#: Histogram gradient boosting of 40 trees with 15 leaves, one seed: the recipe of the anchors.
RECIPE = {"max_iter": 40, "max_leaf_nodes": 15, "random_state": 0}

#: Batches that a shadow is asked about; it is replaced long before.
SHADOW_AHEAD = 60


@dataclass(frozen=True)
class Fitted:
    """answers: (m,) or (m, K) of the rows after the training window, in order. seconds: CPU of the fit."""

    answers: np.ndarray
    seconds: float


class Fits:
    """Models of one stream by (length of the window in batches or None = expanding, last batch)."""

    def __init__(self, stream: Stream, folder: Path) -> None:
        self.stream, self.folder = stream, folder / stream.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._first = np.searchsorted(stream.batch, np.arange(stream.batches + 1))
        self._held: dict[tuple[int | None, ...], Fitted] = {}

    def rows(self, first: int, last: int) -> slice:
        """Positions of the rows of batches first..last."""
        return slice(int(self._first[max(first, 0)]), int(self._first[last + 1]))

    def sampled(self, length: int | None, last: int, n: int) -> Fitted:
        """A model as `get`, on `n` of its rows drawn at random."""
        if length is not None and length > last:
            length = None
        rows = self.rows(0 if length is None else last - length + 1, last)
        if n >= rows.stop - rows.start:
            return self.get(length, last)
        key = (length, last, n)
        if key not in self._held:
            self._held[key] = self._kept(f"{length or 'all'}-{last}-{n}", lambda: self._fit(length, last, n))
        return self._held[key]

    def get(self, length: int | None, last: int) -> Fitted:
        """The model trained on the `length` batches up to `last`."""
        if length is not None and length > last:
            length = None
        key = (length, last)
        if key not in self._held:
            self._held[key] = self._read(length, last)
        return self._held[key]

    def of_batch(self, length: int | None, last: int, batch: int, n: int | None = None) -> np.ndarray:
        """That model's answers to the rows of a later batch."""
        rows, start = self.rows(batch, batch), self.rows(last + 1, last + 1).start
        found = self.get(length, last) if n is None else self.sampled(length, last, n)
        return found.answers[rows.start - start : rows.stop - start]

    def size(self, length: int | None, last: int) -> int:
        """Rows that model is trained on."""
        rows = self.rows(0 if length is None else last - length + 1, last)
        return rows.stop - rows.start

    def cost(self, length: int | None, last: int, n: int | None = None) -> float:
        """CPU-seconds of a fit by its number of rows: the line through what all fits of the expanding window took. What
        one fit took on a busy machine says more of the machine."""
        rows = self.size(length, last)
        slope, level = self._line
        return float(level + slope * (rows if n is None else min(n, rows)))

    @cached_property
    def _line(self) -> tuple[float, float]:
        lasts = range(self.stream.start - 1, self.stream.batches - 1)
        took = [self.get(None, last).seconds for last in lasts]
        slope, level = np.polyfit([self.size(None, last) for last in lasts], took, 1)
        return float(slope), float(level)

    def _read(self, length: int | None, last: int) -> Fitted:
        return self._kept(f"{length or 'all'}-{last}", lambda: self._fit(length, last))

    def _kept(self, name: str, fit: Callable[[], Fitted]) -> Fitted:
        path = self.folder / f"{name}.npz"
        if path.exists():
            with np.load(path) as kept:
                return Fitted(kept["answers"], float(kept["seconds"]))
        made = fit()
        part = path.with_suffix(".part.npz")
        np.savez(part, answers=made.answers, seconds=made.seconds)
        part.replace(path)
        return made

    def forget(self) -> None:
        """Free the memory; the files stay."""
        self._held.clear()

    def _fit(self, length: int | None, last: int, n: int | None = None) -> Fitted:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        stream = self.stream
        rows = self.rows(0 if length is None else last - length + 1, last)
        ahead = stream.batches - 1 if n is None else min(last + SHADOW_AHEAD, stream.batches - 1)
        later = slice(rows.stop, self.rows(ahead, ahead).stop)
        kind = HistGradientBoostingRegressor if stream.task == "reg" else HistGradientBoostingClassifier
        own = np.arange(rows.start, rows.stop)
        if n is not None:
            own = np.sort(np.random.default_rng(0).choice(own, n, replace=False))
        start = time.process_time()
        model = kind(categorical_features="from_dtype", **RECIPE).fit(stream.x.iloc[own], stream.y[own])
        seconds = time.process_time() - start
        x = stream.x.iloc[later]
        if not len(x):
            return Fitted(np.empty(0), seconds)
        if stream.task == "reg":
            return Fitted(model.predict(x).astype(np.float32), seconds)
        found = model.predict_proba(x).astype(np.float32)
        if stream.task == "binary":
            return Fitted(
                found[:, 1] if found.shape[1] == 2 else np.full(len(x), model.classes_[0], np.float32), seconds
            )
        out = np.zeros((len(x), int(stream.y.max()) + 1), np.float32)
        out[:, model.classes_.astype(int)] = found
        return Fitted(out, seconds)
