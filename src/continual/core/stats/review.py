"""Did annotators look at a model's answer? Labels anchored to a model favour it, and no later formula repairs that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from continual.core.estimate import Estimate
from continual.core.stats.flaws import MIN_LABELS

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Anchoring:
    """agree: among double labels that differ, the share in which the first annotator is the one who agrees with the
    model; without anchoring .5, whatever the noise and the model. anchored: its interval lies above .5. p: one-sided,
    exact. reason: a sentence."""

    agree: Estimate
    p: float | None
    anchored: bool
    reason: str


def anchoring(first: Ints, second: Ints, answer: Ints) -> Anchoring:
    """Sign test on rows that were labelled twice: `second` by annotators who saw no prediction; arrays (n,) of classes.

    Where the two differ and one of them says what the model says, either is as likely if nobody saw the model's
    `answer`. Rows must be double-labelled at random, not because somebody doubted them. Undefined with fewer than 5
    such rows. Exact binomial test, Clopper-Pearson interval.

    Raises
    ------
    ValueError: lengths differ.
    """
    if not len(first) == len(second) == len(answer):
        raise ValueError("both labels and the model's answer must have one length")
    differ = (first != second) & ((first == answer) | (second == answer))
    n, hits = int(differ.sum()), int((first == answer)[differ].sum())
    if n < MIN_LABELS:
        why = f"{n} double labels differ, {MIN_LABELS} are needed"
        return Anchoring(Estimate.undefined(len(first), n, why), None, False, f"anchoring cannot be tested: {why}")
    from scipy.special import betainc, betaincinv

    low = float(betaincinv(hits, n - hits + 1, 0.025)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 0.975)) if hits < n else 1.0
    p = float(betainc(hits, n - hits + 1, 0.5)) if hits else 1.0
    found = Estimate(hits / n, low, high, len(first), n, "sign test on double labels, 95% Clopper-Pearson interval")
    anchored = low > 0.5
    judged = "labels lean to the model's answer" if anchored else "no sign that labels lean to the model's answer"
    reason = f"{judged}: where two labels differ the first agrees with it in {hits} of {n} rows"
    if anchored:
        reason += "; these labels must not judge this model, hide predictions from annotators and label again"
    return Anchoring(found, p, anchored, reason)
