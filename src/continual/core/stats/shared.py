"""What a day did to every row: taken out of one slice's losses, so that the slice is read beside the others.

Where a storm moves the paired losses of all slices together, the day means of a slice vary mostly with those of the
rest. The part of the rest's day mean that its earlier days did not foretell,

    surprise_t = rest_t - (mean of the rest on the MEMORY days before - MARGIN * standard error of that mean),

is subtracted from every loss of the slice (a control variate, with coefficient 1). The slice's mean over weeks stays
its own: the mean of the rest follows, so that surprises add up to little. The margin stands for the error of that
mean: were it too low by chance, the slice would seem too bad for as long as it lasts. What is left varies less, and
lasts less, which `lasting` measures on the adjusted days (flights: a slice of 40 rows a day has a design effect of 8
before, of 1.5 after). If the slices do not move together this says no more than the losses themselves, so that a
monitor reads both. The price: when the rest gets better from one day to the next and the slice does not, the slice
seems worse for as long as the mean of the rest needs to follow; a MEMORY without end would never forget it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from continual.core.stats.lasting import DayTable

Floats = npt.NDArray[np.float64]

#: Days of the rest before which nothing is foretold; and how cautiously its mean is, in standard errors.
FIRST_DAYS, MARGIN, MEMORY = 7, 1.0, 28
#: A slice with more of the rows than this is the day itself.
LARGEST_SHARE = 0.5


def surprises(whole: DayTable, slices: DayTable, effect: Floats) -> Floats:
    """(days, ..., streams): what to subtract from each row of a slice that day; nan where nothing can be said.

    whole: (days, ..., 1) all rows, the slices' among them. effect: (days - before, ..., 1) of the whole, see `lasting`.
    A day of the deployment is foretold from earlier days only; one before it from all of them, which teaches how the
    adjusted days vary, and no more.
    """
    n = whole.n - slices.n
    usable = (slices.n > 0) & (n > LARGEST_SHARE * whole.n)
    rest = np.where(usable, (whole.n * whole.mean - slices.n * slices.mean) / np.where(usable, n, 1.0), 0.0)
    seen, total = (_lately(part) for part in (usable.astype(float), rest))
    foretold = np.where(seen >= FIRST_DAYS, total / np.maximum(seen, 1), np.nan)
    before = whole.before
    if before:
        foretold[:before] = rest[:before].sum(0) / np.maximum(usable[:before].sum(0), 1)
    error = np.zeros(rest.shape)
    error[before:] = np.sqrt(effect * _variance(whole)[before:] / np.maximum(whole.n[before:], 1)) / np.sqrt(
        np.maximum(seen[before:], 1)
    )
    return np.where(usable, rest - foretold + MARGIN * error, np.nan)


def adjusted(slices: DayTable, surprise: Floats) -> DayTable:
    """The slices' days without the surprises; a day of which nothing can be said has no rows."""
    known = np.isfinite(surprise)
    n = np.where(known, slices.n, 0.0)
    mean = np.where(known, slices.mean - np.where(known, surprise, 0.0), 0.0)
    return DayTable(n, mean, np.where(known, slices.squares, 0.0), slices.before)


def _earlier(part: Floats) -> Floats:
    """Sum over the days before each day."""
    return np.asarray(np.cumsum(part, axis=0) - part)


def _lately(part: Floats) -> Floats:
    """Sum over the MEMORY days before each day."""
    total = _earlier(part)
    return np.concatenate([total[:MEMORY], total[MEMORY:] - total[:-MEMORY]])


def _variance(whole: DayTable) -> Floats:
    """Of a row within its day, as seen before each day."""
    squares, free = _earlier(whole.squares), _earlier(np.maximum(whole.n - 1, 0))
    return np.asarray(squares / np.maximum(free, 1))
