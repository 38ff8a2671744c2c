"""What the losses of probabilities share: binary and multiclass rows, and cells that refuse one-sided labels."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np

from continual.core.cells import LABEL, ONE, Carried, Cells, Formula
from continual.core.estimate import Comparison, Estimate
from continual.core.label_noise import NoiseTerms
from continual.core.stats.additive import mean_comparison, mean_estimate
from continual.core.stats.flaws import MIN_LABELS, flaw, flaw_classes
from continual.metrics._linearised import mean_weight
from continual.metrics._moments import MomentMetric, ones
from continual.metrics.base import Floats, Rows, Task


class ProbabilityLoss(MomentMetric):
    """Mean of a loss of probabilities; lower is better; its only model term is `kind`."""

    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.BINARY, Task.MULTICLASS})
    lower: ClassVar[float] = 0.0

    @abstractmethod
    def loss(self, y: Floats, score: Floats) -> Floats:
        """(n,) loss of each row."""

    @abstractmethod
    def noise(self, weight: Floats, candidate: Floats, champion: Floats) -> float:
        """Standard error of a mean loss difference that the labels alone give."""

    @property
    def names(self) -> tuple[str, ...]:
        return (ONE, self.kind)

    def carried(self) -> Carried | None:
        own = super().carried()
        return own and Carried((*own.terms, LABEL), own.products, formulas={**own.formulas, LABEL: Formula.LABEL})

    def terms(self, rows: Rows, score: Floats) -> dict[str, Floats]:
        # Classes are no numbers: halves never look one-sided.
        shared = {**ones(rows), LABEL: rows.y if score.ndim == 1 else np.full(len(rows), 0.5)}
        if score.size and score.min() >= 0 and score.max() <= 1:  # NaN is neither
            return {**shared, self.kind: self.loss(rows.y, score)}
        whole = np.all((score >= 0) & (score <= 1), axis=tuple(range(1, score.ndim)))
        with np.errstate(all="ignore"):
            loss = np.where(whole, self.loss(rows.y, np.where(np.isfinite(score), score, 0.5)), np.nan)
        return {**shared, self.kind: loss}

    def flaw(self, rows: Rows, *scores: Floats) -> str | None:
        return probabilities_flaw(rows, *scores)

    def estimate(self, rows: Rows, score: Floats) -> Estimate:
        why = self.flaw(rows, score)
        if why:
            return Estimate.undefined(rows.n, len(rows), why)
        return mean_estimate(self.loss(rows.y, score), rows.weight, rows.day, rows.n, upper=self.upper_of(score))

    def upper_of(self, score: Floats) -> float:
        """Largest possible loss."""
        return float(self.upper)

    def compare(self, rows: Rows, candidate: Floats, champion: Floats) -> Comparison:
        why = self.flaw(rows, candidate, champion)
        if why:
            return Comparison.undefined(len(rows), why)
        noise = self.noise(rows.weight, candidate, champion)
        gain = self.loss(rows.y, champion) - self.loss(rows.y, candidate)
        return mean_comparison(gain, rows.weight, rows.day, noise)

    def noise_terms(self, rows: Rows, candidate: Floats, champion: Floats) -> NoiseTerms:
        return NoiseTerms(flipped=self.compare(replace(rows, y=1 - rows.y), candidate, champion))

    def compare_cells(self, candidate: Cells, champion: Cells, pair: Cells | None) -> list[Comparison]:
        found = super().compare_cells(candidate, champion, pair)
        rarer = _rarer(candidate)
        # With one label the spread is near 0 although the next label may turn the result; rows know by how much.
        return [
            c
            if not c.defined or k >= MIN_LABELS - 1e-6
            else Comparison.undefined(c.n, f"about {k:.0f} labels of one class, {MIN_LABELS} are needed: compare rows")
            for c, k in zip(found, rarer, strict=True)
        ]


def probabilities_flaw(rows: Rows, *scores: Floats, probabilities: bool = True) -> str | None:
    """`flaw` of binary scores (n,) or of multiclass scores (n, K)."""
    if scores[0].ndim == 2:
        return flaw_classes(rows.y, rows.weight, *scores, probabilities=probabilities)
    return flaw(rows.y, rows.weight, *scores, probabilities=probabilities)


def outcome_noise(slope: Floats, weight: Floats, *scores: Floats) -> float:
    """`label_noise` of K classes. slope: (n, K) loss difference if the class were the label."""
    share = (weight / weight.sum()) ** 2
    variances = [np.sum(p * slope**2, axis=1) - np.sum(p * slope, axis=1) ** 2 for p in scores]
    return max(float(np.sqrt(max(np.dot(share, v), 0.0))) for v in variances)


def _rarer(cells: Cells) -> list[float]:
    """Independent rows of each slice's rarer class, by their weights."""
    total, positive = cells.sums[ONE].sum(axis=0), cells.sums[LABEL].sum(axis=0)
    with np.errstate(all="ignore"):
        share = np.minimum(positive, total - positive)
        rows = np.where(share <= 1e-9 * total, 0.0, share / mean_weight(cells))
    return np.nan_to_num(rows).tolist()  # type: ignore[no-any-return]
