"""Streams whose concept drifts, and how every model that could have been trained on them would have fared.

River's generators (SEA: Street & Kim 2001; Hyperplane: Hulten et al. 2001; Agrawal et al. 1993) by day. Of every day a
model trained on the WINDOW days before it is known: its true error on every later day (on rows nobody else sees), and
which of the labelled rows of that day it gets wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from river.datasets import synth
from sklearn.tree import DecisionTreeClassifier

#: Days before the first deployment, deployed days, labelled rows a day, rows a day that measure the true error.
WINDOW, DAYS, ROWS, TRUTH = 28, 360, 250, 750
Days = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Stream:
    """true: (DAYS, DAYS) error of the model of day i on day d, NaN before it exists. wrong: (DAYS, DAYS, ROWS) which
    labelled rows it gets wrong, packed bits. cheap: the same of models on a fifth of the rows. psi: (DAYS, DAYS)
    largest population stability index of an input, the week before day d against the training rows of the model."""

    name: str
    seed: int
    true: np.ndarray
    wrong: np.ndarray
    cheap: np.ndarray
    psi: np.ndarray

    def mistakes(self, i: int, d: int, cheap: bool = False) -> np.ndarray:
        """(ROWS,) bool: which labelled rows of day d the model of day i gets wrong."""
        packed = (self.cheap if cheap else self.wrong)[i, d]
        return np.unpackbits(packed, count=ROWS).astype(bool)


def _taken(rows: object, n: int) -> tuple[np.ndarray, np.ndarray]:
    taken = list(rows.take(n))  # type: ignore[attr-defined]
    return np.array([list(x.values()) for x, _ in taken], dtype=float), np.array([int(y) for _, y in taken])


def _mixed(sources: list[object], share: Callable[[int], float], rng: np.random.Generator) -> Days:
    """Days from two sources; share(d) = the part of the day that comes from the second."""
    out = []
    for d in range(WINDOW + DAYS):
        new = int(rng.binomial(ROWS + TRUTH, share(d - WINDOW)))
        parts = [_taken(s, n) for s, n in zip(sources, (ROWS + TRUTH - new, new), strict=True) if n]
        x, y = np.vstack([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        order = rng.permutation(len(y))
        out.append((x[order], y[order]))
    return out


def _blocks(make: Callable[[int], object], length: int, rng: np.random.Generator) -> Days:
    """A new concept every `length` deployed days, at once."""
    sources: dict[int, object] = {}
    out = []
    for d in range(WINDOW + DAYS):
        block = max(d - WINDOW, 0) // length
        out.append(_taken(sources.setdefault(block, make(block)), ROWS + TRUTH))
    return out


def _sea(variant: int, seed: int) -> object:
    return iter_of(synth.SEA(variant=variant, noise=0.1, seed=seed))


class iter_of:  # noqa: N801
    """Takes on where the last `take` ended; river starts anew each time."""

    def __init__(self, stream: object) -> None:
        self._rows = iter(stream)  # type: ignore[call-overload]

    def take(self, n: int) -> list[tuple[dict[str, float], int]]:
        return [next(self._rows) for _ in range(n)]


def _agrawal(function: int, seed: int) -> object:
    return iter_of(synth.Agrawal(classification_function=function, perturbation=0.05, seed=seed))


def _sigmoid(middle: float, width: float) -> Callable[[int], float]:
    return lambda d: float(1 / (1 + np.exp(-4 * (d - middle) / width)))


def _hyperplane(magnitude: float, seed: int, rng: np.random.Generator) -> Days:
    rows = iter_of(
        synth.Hyperplane(
            seed=seed, n_features=8, n_drift_features=6, mag_change=magnitude, sigma=0.05, noise_percentage=0.05
        )
    )
    return [_taken(rows, ROWS + TRUTH) for _ in range(WINDOW + DAYS)]


def _covariate(seed: int, rng: np.random.Generator) -> Days:
    """SEA with one concept, its inputs wandering: rows are kept with a chance that leans on two features by season."""
    rows, out = _sea(0, seed), []
    for d in range(WINDOW + DAYS):
        lean = 2.5 * np.sin(2 * np.pi * d / 180)
        x, y = _taken(rows, 3 * (ROWS + TRUTH))
        weight = np.exp(lean * (x[:, 0] - x[:, 1]) / 10)
        pick = rng.choice(len(y), ROWS + TRUTH, replace=False, p=weight / weight.sum())
        out.append((x[pick], y[pick]))
    return out


STREAMS: dict[str, Callable[[int, np.random.Generator], Days]] = {
    "SEA, a new concept every 90 days": lambda s, r: _blocks(lambda b: _sea((0, 2, 1, 3)[b % 4], s + b), 90, r),
    "SEA, one concept fades into another": lambda s, r: _mixed([_sea(0, s), _sea(3, s + 1)], _sigmoid(180, 200), r),
    "Hyperplane, slow": lambda s, r: _hyperplane(0.00003, s, r),
    "Hyperplane, fast": lambda s, r: _hyperplane(0.0002, s, r),
    "Agrawal, a new concept every 120 days": lambda s, r: _blocks(lambda b: _agrawal((0, 2, 4)[b % 3], s + b), 120, r),
    "Agrawal, one concept fades into another": lambda s, r: _mixed(
        [_agrawal(1, s), _agrawal(2, s + 1)], _sigmoid(150, 250), r
    ),
    "stationary (SEA)": lambda s, r: _blocks(lambda b: _sea(0, s), 10_000, r),
    "covariate shift only (SEA)": _covariate,
}


def build(name: str, seed: int, cache: Path | None = None) -> Stream:
    """Generate, fit a model a day, score all later days; kept in `cache`."""
    path = cache / f"{name.replace(' ', '_').replace(',', '')}.{seed}.npz" if cache else None
    if path and path.exists():
        found = np.load(path)
        return Stream(name, seed, found["true"], found["wrong"], found["cheap"], found["psi"])
    days = STREAMS[name](1000 * seed + 7, np.random.default_rng(seed))
    true = np.full((DAYS, DAYS), np.nan, dtype=np.float32)
    packed = (ROWS + 7) // 8
    wrong, cheap = (np.zeros((DAYS, DAYS, packed), dtype=np.uint8) for _ in range(2))
    for i in range(DAYS):
        _score(days, i, true, wrong, cheap)
    psi = _psi(days)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, true=true, wrong=wrong, cheap=cheap, psi=psi)
    return Stream(name, seed, true, wrong, cheap, psi)


def _score(days: Days, i: int, true: np.ndarray, wrong: np.ndarray, cheap: np.ndarray) -> None:
    past = days[i : i + WINDOW]
    x, y = np.vstack([x[:ROWS] for x, _ in past]), np.concatenate([y[:ROWS] for _, y in past])
    later = days[i + WINDOW :]
    test = np.vstack([x for x, _ in later])
    truth = np.concatenate([y for _, y in later])
    for part, out in ((slice(None), wrong), (slice(i % 5, None, 5), cheap)):
        model = DecisionTreeClassifier(max_leaf_nodes=24, min_samples_leaf=10, random_state=0).fit(x[part], y[part])
        missed = (model.predict(test) != truth).reshape(len(later), ROWS + TRUTH)
        out[i, i:] = np.packbits(missed[:, :ROWS], axis=1)
        if out is wrong:
            true[i, i:] = missed[:, ROWS:].mean(axis=1)


def _psi(days: Days) -> np.ndarray:
    """Ten bins of all rows' quantiles; half a row is added to each bin."""
    everything = np.vstack([x[:ROWS] for x, _ in days])
    edges = np.quantile(everything, np.linspace(0, 1, 11)[1:-1], axis=0)
    counts = np.array([[np.bincount(np.searchsorted(edges[:, f], x[:ROWS, f]), minlength=10) for f in
                        range(x.shape[1])] for x, _ in days])  # fmt: skip
    total = np.concatenate([np.zeros_like(counts[:1]), counts.cumsum(axis=0)])

    def share(first: int, last: int) -> np.ndarray:
        part = total[last] - total[first] + 0.5
        return part / part.sum(axis=1, keepdims=True)

    out = np.zeros((DAYS, DAYS), dtype=np.float32)
    for i in range(DAYS):
        p = share(i, i + WINDOW)
        for d in range(i, DAYS):
            q = share(d + WINDOW - 7, d + WINDOW)
            out[i, d] = ((p - q) * np.log(p / q)).sum(axis=1).max()
    return out
