"""When labels come: the label-lag curve, the state of every row's label, and whether the delay tells the outcome."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.stats.clustered import MIN_DAYS
from continual.core.stats.tails import quantile
from continual.core.window import utc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: datetime64 of any unit, in UTC without a zone; NaT = none.
Instants = npt.NDArray[np.datetime64]
#: Masks of S slices, each (n,), or codes (n,) of slices that exclude each other, with their names.
Slices = Mapping[str, Bools]


@dataclass(frozen=True)
class LagCurve:
    """Share of rows labelled within `lag` of their event time, from all rows, young ones too.

    lag: (K,) seconds, the distinct lags seen. share, low, high: (K,) with 95% intervals. at_risk: (K,) rows at least
    that old and still without a label just before. n: rows. n_labelled: rows with a label. longest_wait: seconds, the
    age of the oldest row without a label, 0.0 without one.
    """

    lag: Floats
    share: Floats
    low: Floats
    high: Floats
    at_risk: Ints
    n: int
    n_labelled: int
    longest_wait: float

    def within(self, lag: timedelta) -> float | None:
        """Share labelled within `lag`; None where no row was followed that long, or there is none."""
        if not self.n or (lag.total_seconds() > self._followed and not self.complete):
            return None
        at = int(np.searchsorted(self.lag, lag.total_seconds(), side="right"))
        return float(self.share[at - 1]) if at else 0.0

    def quantile(self, p: float) -> timedelta | None:
        """Time until a share `p` of the labels is there; None when that share is never seen."""
        at = int(np.searchsorted(self.share, p - 1e-12))
        return timedelta(seconds=float(self.lag[at])) if at < len(self.lag) else None

    @property
    def complete(self) -> bool:
        """Every row that was followed got its label."""
        return bool(len(self.share)) and float(self.share[-1]) >= 1

    @property
    def plateau(self) -> float | None:
        """Share that has not come by the longest lag ever seen; it never comes, if rows wait much longer than that
        (`longest_wait` against `lag[-1]`: Maller & Zhou 1996). None without rows."""
        if not self.n:
            return None
        return 1 - float(self.share[-1]) if len(self.share) else 1.0

    @property
    def _followed(self) -> float:
        return max(self.longest_wait, float(self.lag[-1]) if len(self.lag) else 0.0)


def lag_curve(event_time: Instants, label_known_at: Instants, as_of: datetime) -> LagCurve:
    """The curve of all rows, shape (n,), as known at `as_of`. Rows of later event time do not exist yet, labels known
    later are not known; a label known before its event has lag 0.

    Kaplan & Meier 1958 (JASA 53:457): rows too young to have a label count until their age. Intervals on the log-log
    scale (Kalbfleisch & Prentice 1980), the wider of Greenwood's for independent rows and, from five event days on, the
    one clustered by day, since the labels of a day often come together (influence function: Williams 1995, Biometrics
    51:1466, t with days - 1 degrees of freedom).
    """
    return lag_curves(event_time, label_known_at, as_of, {"overall": np.ones(len(event_time), dtype=bool)})["overall"]


def lag_curves(
    event_time: Instants, label_known_at: Instants, as_of: datetime, slices: Slices | tuple[Ints, list[str]]
) -> dict[str, LagCurve]:
    """`lag_curve` of every slice; slices: name -> mask (n,), or codes (n,) with the names they index (-1 = none)."""
    duration, arrived, exists = durations(event_time, label_known_at, as_of)
    order = np.argsort(duration, kind="stable")
    order = order[exists[order]]
    day = event_time.astype("datetime64[D]").astype(np.int64)[order]
    duration, arrived = duration[order], arrived[order]
    if isinstance(slices, tuple):
        each: Iterable[tuple[str, Any]] = _by_code(slices[0][order], slices[1])
    else:
        each = ((name, mask[order]) for name, mask in slices.items())
    return {name: _kaplan_meier(duration[use], arrived[use], day[use]) for name, use in each}


def _by_code(codes: Ints, names: list[str]) -> list[tuple[str, Ints]]:
    by_code = np.argsort(codes, kind="stable")  # keeps the order of durations within a code
    starts = np.searchsorted(codes[by_code], np.arange(len(names) + 1))
    return [(name, by_code[starts[i] : starts[i + 1]]) for i, name in enumerate(names)]


def durations(event_time: Instants, label_known_at: Instants, as_of: datetime) -> tuple[Floats, Bools, Bools]:
    """Seconds from event to label, or to `as_of` without one; whether the label is there; whether the row is."""
    now = np.datetime64(utc(as_of).replace(tzinfo=None), "us")
    event, known = event_time.astype("datetime64[us]"), label_known_at.astype("datetime64[us]")
    arrived = known <= now  # False for NaT
    until = np.where(arrived, known, now)
    seconds = (until - event) / np.timedelta64(1, "s")
    return np.maximum(seconds, 0.0), arrived, event <= now


def _kaplan_meier(duration: Floats, arrived: Bools, day: Ints) -> LagCurve:
    """duration: sorted, (n,); arrived and day in its order."""
    n = len(duration)
    lag, came = np.unique(duration[arrived], return_counts=True)
    at_risk = n - np.searchsorted(duration, lag, side="left")  # a row as old as the lag was still there to be labelled
    # log of the survivor function: without loss of digits over many lags
    with np.errstate(divide="ignore"):
        log_left = np.cumsum(np.log1p(-came / at_risk))
        variance = np.cumsum(came / (at_risk * (at_risk - came).astype(float)))
    half = quantile(0.975, None) * np.sqrt(variance)
    clustered = _half_by_day(duration, arrived, day, lag, came / at_risk, at_risk)
    low, high = _log_log(log_left, half if clustered is None else np.maximum(half, clustered))
    waiting = duration[~arrived]
    longest = float(waiting[-1]) if len(waiting) else 0.0
    share = -np.expm1(log_left)
    return LagCurve(lag, share, low, high, at_risk.astype(np.int64), n, int(arrived.sum()), longest)


def _half_by_day(
    duration: Floats, arrived: Bools, day: Ints, lag: Floats, hazard: Floats, at_risk: Ints
) -> Floats | None:
    """(K,) half widths of log S clustered by day; None with fewer than MIN_DAYS days."""
    by_day = np.argsort(day, kind="stable")  # keeps the order of durations within a day
    groups = np.split(by_day, np.flatnonzero(np.diff(day[by_day])) + 1)
    days = len(groups)
    if days < MIN_DAYS:
        return None
    total = np.zeros(len(lag))
    for rows in groups:
        mine = duration[rows]
        came = np.bincount(np.searchsorted(lag, mine[arrived[rows]]), minlength=len(lag))
        waited = len(rows) - np.searchsorted(mine, lag, side="left")
        total += np.cumsum((came - waited * hazard) / at_risk) ** 2
    return np.asarray(quantile(0.975, days - 1) * np.sqrt(days / (days - 1) * total))


def _log_log(log_left: Floats, half: Floats) -> tuple[Floats, Floats]:
    """95% interval of 1 - S; where every row followed is labelled (S = 0) the lower end before that, and 1."""
    with np.errstate(invalid="ignore", over="ignore"):
        factor = np.exp(half / np.abs(log_left))
        low, high = -np.expm1(log_left / factor), -np.expm1(log_left * factor)
    if len(log_left) and math.isinf(log_left[-1]):
        low[-1], high[-1] = low[-2] if len(low) > 1 else 0.0, 1.0
    return low, high


class LabelState(IntEnum):
    """Of a row as of an instant. pending: younger than labels usually take; overdue: older, and may still come;
    never: so old that none is waited for. 'Never' is not missing at random: see `plateau`."""

    ARRIVED = 0
    PENDING = 1
    OVERDUE = 2
    NEVER = 3
    #: The event is after the instant.
    ABSENT = 4


def label_states(
    event_time: Instants, label_known_at: Instants, as_of: datetime, lag: timedelta, never_after: timedelta
) -> npt.NDArray[np.int8]:
    """(n,) `LabelState` of every row; a row exactly as old as a limit is past it.

    Raises
    ------
    ValueError: `never_after` is shorter than `lag`.
    """
    if never_after < lag:
        raise ValueError(f"never_after ({never_after}) must not be shorter than lag ({lag})")
    age, arrived, exists = durations(event_time, label_known_at, as_of)
    late = np.where(age >= never_after.total_seconds(), LabelState.NEVER, LabelState.OVERDUE)
    waiting = np.where(age < lag.total_seconds(), LabelState.PENDING, late)
    return np.where(exists, np.where(arrived, LabelState.ARRIVED, waiting), LabelState.ABSENT).astype(np.int8)


@dataclass(frozen=True)
class Coverage:
    """Rows of a slice by the state of their label; they sum to n."""

    slice: str
    n: int
    arrived: int
    pending: int
    overdue: int
    never: int

    @property
    def share(self) -> float | None:
        """Share of all rows with a label; None without rows."""
        return self.arrived / self.n if self.n else None

    @property
    def of_due(self) -> float | None:
        """Share with a label of the rows that have one or should; None while all are pending."""
        due = self.n - self.pending
        return self.arrived / due if due else None

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "share": self.share, "of_due": self.of_due}


def coverage_table(states: npt.NDArray[np.int8], slices: Slices | tuple[Ints, list[str]]) -> list[Coverage]:
    """How many labels of every slice are there, and what the others wait for; slices as in `lag_curves`."""
    width = len(LabelState)
    if isinstance(slices, tuple):
        codes, names = slices
        inside = codes >= 0
        counts = np.bincount(codes[inside] * width + states[inside], minlength=len(names) * width)
        return [_coverage(name, row) for name, row in zip(names, counts.reshape(-1, width), strict=True)]
    return [_coverage(name, np.bincount(states[mask], minlength=width)) for name, mask in slices.items()]


def _coverage(name: str, counts: Ints) -> Coverage:
    arrived, pending, overdue, never = (int(c) for c in counts[: LabelState.ABSENT])
    return Coverage(name, arrived + pending + overdue + never, arrived, pending, overdue, never)
