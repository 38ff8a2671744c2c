"""E-processes on paired excess losses: evidence that may be looked at every day.

Each row bets: (1 + lambda d) has mean at most 1 while the champion is not worse (E d <= 0). The product over rows
is an e-process (Waudby-Smith & Ramdas 2024); summing products restarted every day gives the Shiryaev-Roberts
e-detector (Shin, Ramdas & Rinaldo 2023), which finds a fault on day 60 as fast as one on day 0. Under no fault
E[M_t] <= t, hence P(M reaches H/alpha within H looks) <= alpha. For d in {-1, 0, 1} with a rows of +1 and b of -1
a day's factor is (1 + lambda)^a (1 - lambda)^b. All in logs, so that nothing overflows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from continual.errors import ContinualError

Floats = npt.NDArray[np.float64]

#: Bets from timid (finds small, lasting faults) to bold (finds breaks): 14 geometric steps.
LAMBDAS: Floats = np.geomspace(0.02, 0.9, 14)
#: Stake of each bet, in logs: more on the bolder ones, which what is worth a rollback asks for.
STAKES: Floats = np.log(np.sqrt(LAMBDAS) / np.sqrt(LAMBDAS).sum())


def log_factor(excess: Floats, tolerated: float = 0.0) -> Floats:
    """log of a day's L(lambda) = prod over rows of (1 + lambda d), shape (14,); zeros for a day without rows.

    tolerated: mean excess, in [0, .1], up to which the champion counts as not worse; subtracted from each row.

    Raises
    ------
    ContinualError: a row is not finite or outside [-1, 1].
    """
    rows = np.asarray(excess, dtype=float)
    if not np.all(np.abs(rows) <= 1):  # also catches NaN
        bad = rows[~(np.abs(rows) <= 1)]
        raise ContinualError(
            "paired excess losses must be finite and within [-1, 1].",
            f"{len(bad)} of {len(rows)} rows are not, the first is {bad[0]}.",
            "use a bounded loss (Brier, right/wrong, clipped log-loss) and leave out rows without a score.",
        )
    values, counts = np.unique(rows, return_counts=True)  # right/wrong losses have three values
    return np.log1p(np.outer(LAMBDAS, values - tolerated)) @ counts.astype(float)  # type: ignore[no-any-return]


def log_mean(logs: Floats) -> float:
    """log of the mean of exp(logs), (14,), weighted by the stakes."""
    return float(np.logaddexp.reduce(logs + STAKES))


def shiryaev_roberts(log_factors: Sequence[Floats]) -> list[float]:
    """log M_t after each day, M_t(lambda) = (M_{t-1}(lambda) + 1) L_t(lambda), averaged over lambda by the
    stakes; with H looks an alarm is M >= H/alpha."""
    state, path = np.full(len(LAMBDAS), -np.inf), []
    for factor in log_factors:
        state = np.logaddexp(state, 0.0) + factor
        path.append(log_mean(state))
    return path


def likeliest_start(log_factors: Sequence[Floats]) -> int:
    """Index of the day from which the product up to the last day is largest; needs at least one day."""
    tails = np.cumsum(np.asarray(log_factors)[::-1], axis=0)[::-1]
    return int(np.argmax([log_mean(tail) for tail in tails]))
