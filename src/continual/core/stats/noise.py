"""Noisy labels: how well annotators agree, how often labels are wrong, which to look at again.

Symmetric noise of rate eta shrinks every difference of error rates by (1 - 2 eta) and costs 1/(1 - 2 eta)^2 labels.
All of this holds for annotators who did not see a prediction: labels anchored to a model's output favour that model
(20% anchored: false harm in 64% of decisions) and no formula here repairs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from continual.core.estimate import Estimate
from continual.core.label_noise import NoiseRate
from continual.core.stats.flaws import MIN_LABELS
from continual.core.stats.tails import quantile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: In a matrix of annotations: this annotator has not labelled this row.
MISSING = -1


@dataclass(frozen=True)
class Review:
    """Rows to look at again. positions: (m,) row numbers, the most suspicious first. joint: (K, K) confident counts,
    row = given label, column = likely label; its off-diagonal sums to m."""

    positions: Ints
    joint: Ints


def agreement(labels: Ints) -> Estimate:
    """Chance-corrected agreement (kappa) of several annotators, with its 95% interval, in [-1, 1].

    labels: (n_rows, n_annotators) classes 0, 1, ...; MISSING where not labelled. Two annotators who labelled every
    row of at least two labels: Cohen 1960, variance of Fleiss, Cohen & Everitt 1969. Otherwise annotators are
    interchangeable: Fleiss 1971, for unequal numbers of labels Gwet 2014, linearised variance. Rows with one
    label say nothing and are not in n_labelled. Undefined with fewer than 5 rows or one class.

    Raises
    ------
    ValueError: `labels` is not a matrix of classes.
    """
    if labels.ndim != 2 or (labels < MISSING).any():
        raise ValueError("labels must be a matrix of classes 0, 1, ... and -1 where missing")
    several = labels[np.sum(labels != MISSING, axis=1) >= 2]
    n = len(several)
    if n < MIN_LABELS:
        return Estimate.undefined(len(labels), n, f"{n} rows have two labels, {MIN_LABELS} are needed")
    # (n, annotators, K), all zero where missing
    one_hot = (several[:, :, None] == np.arange(several.max() + 1)).astype(float)
    cohen = labels.shape[1] == 2
    agree, chance = _cohen(one_hot) if cohen else _fleiss(one_hot)
    observed, expected = float(agree.mean()), float(chance.mean()) / 2
    if expected > 1 - 1e-12:
        return Estimate.undefined(len(labels), n, "all labels are of one class")
    kappa = (observed - expected) / (1 - expected)
    influence = ((agree - observed) * (1 - expected) - (chance - 2 * expected) * (1 - observed)) / (1 - expected) ** 2
    half = quantile(0.975, n - 1) * math.sqrt(float(np.sum(influence**2)) / (n * (n - 1)))
    name = "Cohen's kappa" if cohen else "Fleiss' kappa"
    return Estimate(kappa, max(kappa - half, -1), min(kappa + half, 1), len(labels), n, f"{name}, 95% t interval")


def _cohen(one_hot: Floats) -> tuple[Floats, Floats]:
    """Per row: agreement, and twice its part in the chance agreement; the latter's mean is 2 p_e."""
    first, second = one_hot[:, 0], one_hot[:, 1]
    agree = np.sum(first * second, axis=1)
    return agree, first @ second.mean(axis=0) + second @ first.mean(axis=0)


def _fleiss(one_hot: Floats) -> tuple[Floats, Floats]:
    counts = one_hot.sum(axis=1)
    raters = counts.sum(axis=1)
    agree = np.sum(counts * (counts - 1), axis=1) / (raters * (raters - 1))
    share = counts / raters[:, None]
    return agree, 2 * share @ share.mean(axis=0)


def symmetric_noise(first: Ints, second: Ints) -> NoiseRate:
    """Rate eta of wrong binary labels from rows that two annotators labelled independently.

    first, second: (n,) 0/1. They differ with probability 2 eta (1 - eta), so that eta = (1 - sqrt(1 - 2 delta))/2,
    taken below 1/2 (Dawid & Skene 1979 in its simplest case). Interval: Clopper-Pearson on the disagreements,
    transformed. se: delta method with 1/2 disagreement added, so that none among few does not mean certainty. Both
    annotators err equally often, at random and not on the same hard rows: common mistakes make eta too small.
    Draw the rows at random. Undefined with fewer than 5 rows or where half of the rows or more differ.

    Raises
    ------
    ValueError: lengths differ or a label is neither 0 nor 1.
    """
    if len(first) != len(second) or not np.isin(first, (0, 1)).all() or not np.isin(second, (0, 1)).all():
        raise ValueError("double labels must be two arrays of 0 and 1 of one length")
    n, differ = len(first), int(np.sum(first != second))
    if n < MIN_LABELS:
        return NoiseRate(Estimate.undefined(n, n, f"{n} rows have two labels, {MIN_LABELS} are needed"), None)
    if 2 * differ >= n:
        why = f"{differ} of {n} double labels differ: they are no better than chance"
        return NoiseRate(Estimate.undefined(n, n, why), None)
    low, high = (_rate(bound) for bound in _clopper_pearson(differ, n))
    smooth = (differ + 0.5) / (n + 1)
    slope = 1 / (2 * math.sqrt(max(1 - 2 * smooth, 1e-12)))
    se = slope * math.sqrt(smooth * (1 - smooth) / n)
    how = "symmetric noise from double labels, 95% Clopper-Pearson interval"
    return NoiseRate(Estimate(_rate(differ / n), low, high, n, n, how), se)


def _rate(disagreement: float) -> float:
    return (1 - math.sqrt(max(1 - 2 * disagreement, 0.0))) / 2


def _clopper_pearson(k: int, n: int) -> tuple[float, float]:
    from scipy.special import betaincinv

    low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
    return low, float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0


def review_list(given: Ints, probability: Floats) -> Review:
    """Rows whose label is probably wrong, to be labelled again; **never for dropping rows from an evaluation**.

    Dropping them rewards models that resemble the one that made `probability` (measured: a gain of .60 points read as
    .29 or 1.44). given: (n,) classes 0..K-1. probability: (n, K) from a model that was not trained on these rows.
    Confident learning, Northcutt, Jiang & Chuang 2021 (JAIR 70): a class is confident where its probability reaches
    the mean self-confidence of the rows labelled so; rows whose most probable confident class is not the given one
    are off the diagonal of the confident joint. Ranked by margin p[given] - p[likely], the lowest first; ties by row.

    Raises
    ------
    ValueError: shapes differ, a class is outside 0..K-1, or a probability is not in [0, 1].
    """
    n, k = probability.shape
    if len(given) != n or not np.all((given >= 0) & (given < k)):
        raise ValueError(f"labels must be {n} classes 0..{k - 1}")
    if not np.all((probability >= 0) & (probability <= 1)):
        raise ValueError("probabilities must lie in [0, 1]")
    own = probability[np.arange(n), given]
    counts = np.bincount(given, minlength=k)
    # a class nobody was given has no threshold and is never likely
    threshold = np.where(counts > 0, np.bincount(given, own, k) / np.maximum(counts, 1), np.inf)
    confident = np.where(probability >= threshold, probability, -1.0)
    likely = np.argmax(confident, axis=1)
    counted = confident.max(axis=1, initial=-1.0) >= 0
    joint = np.zeros((k, k), dtype=np.int64)
    np.add.at(joint, (given[counted], likely[counted]), 1)
    suspect = np.flatnonzero(counted & (likely != given))
    margin = own[suspect] - probability[suspect, likely[suspect]]
    return Review(suspect[np.argsort(margin, kind="stable")], joint)
