"""Does a version lose more than on its own earlier days? One alone cannot tell a season from a fault; two can."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from continual.core.diagnosis import PastChange
from continual.core.stats.tails import quantile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Days that are 'now', days that must lie before them; two of the last five looks must agree, the latest among them.
NOW, BEFORE, LOOKS, AGREE = 7, 14, 5, 2
CONFIDENCE = 0.999


def past_change(
    version: str, day: Ints, loss: Floats, tolerated: float, weight: Floats | None = None
) -> PastChange | None:
    """day, loss: (n,) of matured rows. t bound on day means with pooled variance, days as the units; None
    with fewer than 21 days. tolerated: mean loss by which a version may get worse. weight: (n,) 1 / chance of a label
    where labels were chosen, None = all alike."""
    names, index = np.unique(day, return_inverse=True)
    of = np.ones(len(day)) if weight is None else weight
    means = np.bincount(index, weights=of * loss) / np.bincount(index, weights=of) if len(names) else np.empty(0)
    looks = [_bound(means[:end]) for end in range(len(means) - LOOKS + 1, len(means) + 1)]
    if len(means) < NOW + BEFORE or looks[-1] is None:
        return None
    over = [bound is not None and bound[1] > tolerated for bound in looks]
    change, low = looks[-1]
    return PastChange(version, change, low, over[-1] and sum(over) >= AGREE)


def _bound(means: Floats) -> tuple[float, float] | None:
    """Change of the last NOW day means, and its lower bound."""
    if len(means) < NOW + BEFORE:
        return None
    new, old = means[-NOW:], means[:-NOW]
    df = len(means) - 2
    variance = (float(np.sum((new - new.mean()) ** 2)) + float(np.sum((old - old.mean()) ** 2))) / df
    se = float(np.sqrt(variance * (1 / len(new) + 1 / len(old))))
    change = float(new.mean() - old.mean())
    return change, change - quantile(CONFIDENCE, df) * se
