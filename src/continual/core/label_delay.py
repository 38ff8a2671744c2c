"""Does the delay of a label tell its value? If so, early labels are a biased sample of all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from continual.core.label_lag import Floats, Instants, durations
from continual.core.stats.clustered import MIN_DAYS, Spread, wider
from continual.core.stats.tails import lower_tail

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class DelayDependence:
    """effect: P(a label of the upper group comes later than one of the lower group on the same day), ties half; .5 =
    the delay tells nothing. low, high: 95% interval. p: two-sided, of .5. All None when undefined. median_lower,
    median_upper: seconds until a label comes. days, n: used. depends: the interval excludes .5. reason: a sentence."""

    effect: float | None
    low: float | None
    high: float | None
    p: float | None
    median_lower: float | None
    median_upper: float | None
    days: int
    n: int
    depends: bool
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def delay_depends_on_outcome(
    event_time: Instants, label_known_at: Instants, label: Floats, as_of: datetime, matured_after: timedelta
) -> DelayDependence:
    """Rank test of the label's delay by its value, within days, among labels of matured cohorts; arrays (n,).

    Only events at least `matured_after` old and labels that took no longer than that are used, so that every day had
    the same chance. label: 0/1, or a number that is split at its median. Per day the Mann-Whitney share, days weighed
    by n1 n0/(n1 + n0 + 1) (van Elteren 1960), variance between days or of independent rows, whichever gives the wider
    t interval: a day whose labels all come late, or whose outcomes are all bad, does not matter. It says nothing of
    labels that never come. Undefined with fewer than 5 days that have both groups.

    Raises
    ------
    ValueError: lengths differ.
    """
    if not len(event_time) == len(label_known_at) == len(label):
        raise ValueError("event times, known-at instants and labels must have one length")
    lag, arrived, _ = durations(event_time, label_known_at, as_of)
    age = durations(event_time, np.full(len(label), np.datetime64("NaT", "us")), as_of)[0]
    limit = matured_after.total_seconds()
    use = arrived & (age >= limit) & (lag <= limit) & np.isfinite(label)
    upper, names = _groups(label[use])
    day = event_time[use].astype("datetime64[D]").astype(np.int64)
    strata = _strata(lag[use], upper, day)
    if len(strata) < MIN_DAYS:
        why = f"undefined: {len(strata)} days have matured labels of both outcomes, {MIN_DAYS} are needed"
        return DelayDependence(None, None, None, None, None, None, len(strata), int(use.sum()), False, why)
    medians = float(np.median(lag[use][~upper])), float(np.median(lag[use][upper]))
    return _result(strata, medians, names, int(use.sum()))


def _groups(label: Floats) -> tuple[Any, tuple[str, str]]:
    """Which labels are in the upper group, and how the groups are called."""
    found = np.unique(label)
    if len(found) <= 2:
        names = ("", "") if not len(found) else (f"{found[0]:g}", f"{found[-1]:g}")
        return label == (found[1] if len(found) == 2 else np.nan), names
    middle = float(np.median(label))
    if not (label > middle).any():  # the largest value is the median: the upper group is that value
        return label >= middle, (f"below {middle:g}", f"{middle:g}")
    return label > middle, (f"up to {middle:g}", f"above {middle:g}")


def _strata(lag: Floats, upper: Any, day: Any) -> Floats:
    """(days, 3) of every day with both groups: Mann-Whitney share, its weight, its variance if nothing depends."""
    from scipy.stats import rankdata

    order = np.argsort(day, kind="stable")
    cuts = np.flatnonzero(np.diff(day[order])) + 1
    out = []
    for rows in np.split(order, cuts):
        a = int(upper[rows].sum())
        b = len(rows) - a
        if not (a and b):
            continue
        rank = rankdata(lag[rows])
        share = (float(rank[upper[rows]].sum()) - a * (a + 1) / 2) / (a * b)
        out.append((share, a * b / (a + b + 1), float(rank.var()) / (a * b * (a + b - 1))))
    return np.array(out).reshape(-1, 3)


def _result(strata: Floats, medians: tuple[float, float], names: tuple[str, str], n: int) -> DelayDependence:
    share, weight, variance = strata.T
    days, total = len(share), weight.sum()
    effect = float(weight @ share / total)
    part = weight / total
    between = days / (days - 1) * float(np.sum((part * (share - effect)) ** 2))
    effective = 1 / float(np.sum(part**2))
    rows = Spread(float(np.sqrt(np.sum(part**2 * variance))), max(n - 2, 1), 0)
    spread = wider(Spread(float(np.sqrt(between)), max(effective - 1, 1), days), rows)
    low, high = max(effect - spread.half_width, 0.0), min(effect + spread.half_width, 1.0)
    p = 2 * lower_tail(-abs(effect - 0.5) / spread.se, spread.df) if spread.se else 1.0
    depends = not low <= 0.5 <= high
    median = [f"{_shown(seconds)} ({name})" for seconds, name in zip(medians, names, strict=True)]
    later = f"in {effect:.0%} (95% {low:.0%} to {high:.0%}) of pairs of one day label {names[1]} comes later than"
    judged = "the delay depends on the outcome" if depends else "no sign that the delay depends on the outcome"
    reason = f"{judged}: {later} {names[0]}; medians {' and '.join(median)}; {n:,} labels of {days} days"
    return DelayDependence(effect, low, high, p, *medians, days, n, depends, reason)


def _shown(seconds: float) -> str:
    for unit, size in (("d", DAY_SECONDS), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
