"""Shocks that last for days: how much less the days of a stream say together than as many independent rows.

`dependence` pays for rows of one day that move together. Where a shock lasts (a storm, a strike, a holiday week), the
sum of days varies more than that: with autocorrelation .5 three times as much, and false alarms came in most years.
deff is then the long-run variance of the day's mean over that of as many independent rows: of a shock with variance
gamma v (v: of rows within a day) and autocorrelation phi,

    deff = (1 + n gamma (1 + phi) / (1 - phi)) / (1 + gamma),

which without phi is Kish's 1 + (n - 1) rho. The sum of an AR(1) differs from a martingale with that variance per day by
a bounded term (Gordin 1969), which a threshold of a year's looks absorbs.

phi and gamma are learned: likelihood of the day means (Kalman filter of shock + sampling noise, an unknown mean
integrated out, restricted likelihood of Harville 1977) on a grid, posterior mean of deff. Before the deployment and
after it the mean may differ. A day teaches `LAG` days later: a fault that just began must not pass for a shock that
lasts. Streams of one deployment lend each other their shape (`POOL`, `TRUST`), since four weeks of one slice say little
about phi.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Autocorrelation of day shocks, gamma as multiples of the assumed correlation, and what is thought of them at first:
#: the assumed one, for a day. Steps of gamma are small since long streams choose one point of the grid.
PHI = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9])
GAMMA = np.concatenate([[0.0], 2 ** np.arange(-3, 5.1, 0.5)])
FIRST = np.outer(1 - PHI, np.concatenate([[1.0], 1.5 * np.minimum(GAMMA[1:] ** 0.6, GAMMA[1:] ** -1.2)]))
#: Days until a day of the deployment teaches.
LAG = 14
#: The other streams together count as so many; and the share of a stream's prior that comes from them.
POOL, TRUST = 2.0, 0.8
#: A day whose rows are equal but for rounding says nothing.
_FLAT = 1e-6


class DayTable(NamedTuple):
    """`DaySums` of streams, each (days, ..., streams) on the same calendar days, n = 0 for a day without rows; so many
    of the first days (`before`) lie before the deployment."""

    n: Floats
    mean: Floats
    squares: Floats
    before: int = 0


def lasting_effects(days: DayTable, prior: float) -> Floats:
    """deff >= 1 of each day of the deployment, (days - before, ..., streams), from earlier days only.

    prior: correlation of rows within a day assumed at the start, in [0, 1); 0 = rows are independent, every deff is 1.
    """
    before, size = days.before, days.n[days.before :]
    if prior == 0 or not len(size):
        return np.ones(size.shape)
    phi, gamma = (part.ravel() for part in np.meshgrid(PHI, GAMMA * prior / (1 - prior), indexing="ij"))
    own, lasting = 1 / (1 + gamma), gamma * (1 + phi) / (1 - phi) / (1 + gamma)
    out = np.empty(size.shape)
    known = _known(before, len(out))
    for count, weight in enumerate(_weights(days, phi, gamma), start=before):
        base, each = (np.tensordot(part, weight, 1) for part in (own, lasting))
        taught = known == count
        out[taught] = base + size[taught] * each
        if count == known[-1]:
            break
    return np.maximum(out, 1.0)


def _known(before: int, length: int) -> npt.NDArray[np.int_]:
    """(length,) how many days teach each day of the deployment. The first ones do at once where none came before: a
    fault on the first day is the mean of the stream, no step in it."""
    today = before + np.arange(length)
    return np.maximum(today - LAG, np.minimum(today, max(before, LAG)))


def _weights(days: DayTable, phi: Floats, gamma: Floats) -> Iterator[Floats]:
    """(G, ..., streams) posterior of the grid with the days before the deployment, with one more, and so on."""
    first = (FIRST / FIRST.sum()).reshape(-1, *[1] * (days.n.ndim - 1))
    seen = np.cumsum(days.n, axis=0) > 0
    for known, likelihood in enumerate(_likelihoods(days, phi, gamma)):
        if known >= days.before:
            found = _shares(likelihood) * _prior(likelihood, seen[known - 1] if known else seen[0] & False, first)
            yield found / found.sum(axis=0)


def _prior(likelihood: Floats, seen: npt.NDArray[np.bool_], first: Floats) -> Floats:
    """Of each stream: what the others have seen, never the stream itself."""
    others = np.maximum(seen.sum(axis=-1, keepdims=True) - seen, 1)
    pool = first * _shares(POOL * (likelihood.sum(axis=-1, keepdims=True) - likelihood) / others)
    return np.asarray(TRUST * pool / pool.sum(axis=0) + (1 - TRUST) * first)


def _shares(logs: Floats) -> Floats:
    return np.asarray(np.exp(logs - logs.max(axis=0)))


def _likelihoods(days: DayTable, phi: Floats, gamma: Floats) -> Iterator[Floats]:
    """(G, ..., streams) restricted log likelihood of the first 0, 1, 2, ... days."""
    n, x = _scaled(days)
    column = (slice(None), *[None] * (n.ndim - 1))
    phi, gamma = phi[column], gamma[column]
    total = np.zeros((len(phi), *n.shape[1:]))
    past, state = total, _Filter(total.shape, gamma)
    yield total
    for day in range(len(n)):
        if day == days.before:
            past, state = total, _Filter(total.shape, gamma)
        total = past + state.add(n[day], x[day], phi, gamma)
        yield total


def _scaled(days: DayTable) -> tuple[Floats, Floats]:
    """Rows and means of days, in standard deviations of a row within its day as seen so far; n = 0: says nothing."""
    free = np.cumsum(np.maximum(days.n - 1, 0), axis=0)
    variance = np.cumsum(days.squares, axis=0) / np.maximum(free, 1)
    usable = (days.n > 0) & (variance > _FLAT * days.mean**2)
    return np.where(usable, days.n, 0.0), np.where(usable, days.mean / np.sqrt(np.where(usable, variance, 1.0)), 0.0)


class _Filter:
    """Kalman filter of x = mean + shock + noise / sqrt(n), run on the day means and on the constant 1 beside them."""

    def __init__(self, shape: tuple[int, ...], gamma: Floats) -> None:
        self._shock, self._one = np.zeros(shape), np.zeros(shape)
        self._variance = np.broadcast_to(gamma, shape)
        self._xx, self._x1, self._11, self._logs = (np.zeros(shape) for _ in range(4))

    def add(self, n: Floats, x: Floats, phi: Floats, gamma: Floats) -> Floats:
        """Log likelihood with this day, the mean integrated out."""
        precision = n / (1 + n * self._variance)
        miss, missed_one = x - self._shock, 1 - self._one
        gain = self._variance * precision
        self._xx = self._xx + precision * miss**2
        self._x1 = self._x1 + precision * miss * missed_one
        self._11 = self._11 + precision * missed_one**2
        self._logs = self._logs + np.log1p(n * self._variance)
        self._shock, self._one = phi * (self._shock + gain * miss), phi * (self._one + gain * missed_one)
        self._variance = phi**2 * self._variance * (1 - gain) + gamma * (1 - phi**2)
        known = np.where(self._11 > 0, self._11, 1.0)
        return np.asarray(-0.5 * (self._xx - self._x1**2 / known + self._logs + np.log(known)))
