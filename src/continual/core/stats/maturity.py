"""Which days' labels may be read: where the delay depends on the outcome, only days whose labels are nearly all there.

Read in order of arrival, such labels are a biased sample of their day, and every sequential test alarms (measured:
100%). The delay is tested by `core.label_delay` on days so old that even late labels had come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from continual.core.label_delay import DelayDependence, delay_depends_on_outcome

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Instants = npt.NDArray[np.datetime64]

#: Share of a day's labels that must be there when their delay depends on the outcome.
ENOUGH = 0.9


@dataclass(frozen=True)
class Cohorts:
    """use: (n,) rows that may be read. refused: ISO dates of the days left out. missing: share of their labels that is
    not there. reason: '' when nothing was left out. problem: why no day at all can be read, or None."""

    use: Bools
    refused: tuple[str, ...]
    missing: float
    delay: DelayDependence
    reason: str

    @property
    def problem(self) -> str | None:
        """Set when the labels cannot be read at all."""
        return self.reason if self.refused and not self.use.any() else None


def readable(
    event_time: Instants, label_known_at: Instants, label: Floats, as_of: datetime, lag: timedelta, never: timedelta
) -> Cohorts:
    """Rows of matured days, arrays (n,), label NaN = not known; never: age at which no label is waited for.

    The delay is tested on days older than `never`, else older than the longest delay seen, else than `lag`: the first
    with five days that have both outcomes. If it tells the outcome, a day with fewer than 90% of its labels is refused.
    Labels that never come for a reason of their own (cancelled flights) count as missing.
    """
    delay = _tested(event_time, label_known_at, label, as_of, (never, _longest(event_time, label_known_at), lag))
    names, day = np.unique(event_time.astype("datetime64[D]"), return_inverse=True)
    known = np.isfinite(label)
    share = np.bincount(day, weights=known) / np.maximum(np.bincount(day), 1)
    bad = (share < ENOUGH) & delay.depends
    use = known & ~bad[day] if len(names) else known
    if not bad.any():
        return Cohorts(use, (), 0.0, delay, "")
    missing = float(1 - known[bad[day]].mean())
    first, last = str(names[bad][0]), str(names[bad][-1])
    reason = (
        f"{int(bad.sum())} days from {first} to {last} are not read: {missing:.0%} of their labels are not there, and "
        f"{delay.reason}; raise label.lag until at least {ENOUGH:.0%} are"
    )
    return Cohorts(use, tuple(str(n) for n in names[bad]), missing, delay, reason)


def _tested(
    event_time: Instants, label_known_at: Instants, label: Floats, as_of: datetime, limits: tuple[timedelta, ...]
) -> DelayDependence:
    """The first defined test: a limit shorter than one outcome's delay leaves one outcome only."""
    found = [delay_depends_on_outcome(event_time, label_known_at, label, as_of, limits[0])]
    for limit in limits[1:]:
        if found[-1].effect is None:
            found.append(delay_depends_on_outcome(event_time, label_known_at, label, as_of, limit))
    return found[-1]


def _longest(event_time: Instants, label_known_at: Instants) -> timedelta:
    wait = (label_known_at - event_time)[~np.isnat(label_known_at)] / np.timedelta64(1, "s")
    return timedelta(seconds=float(wait.max(initial=0.0)))
