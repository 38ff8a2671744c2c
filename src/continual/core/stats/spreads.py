"""Spreads of many slices at once: the twin of `clustered` for sums by day instead of rows.

Same rules: CR1 over the days that have labels (Cameron & Miller 2015), independent rows below MIN_DAYS days, else the
wider of the two. Arrays are (S,) unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from continual.core.estimate import Comparison
from continual.core.stats.clustered import MIN_DAYS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: A share below this part of what it is a difference of is rounding.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Spreads:
    """Standard errors, t degrees of freedom and days used (0 = independent rows) of S slices; se NaN: unknown."""

    se: Floats
    df: Floats
    days: npt.NDArray[np.int64]

    @property
    def half_width(self) -> Floats:
        """Half of the two-sided 95% intervals; NaN where unknown."""
        from scipy.special import stdtrit

        return np.asarray(np.where(self.se == 0, 0.0, stdtrit(self.df, 0.975) * self.se))

    def how(self, i: int) -> str:
        """How the spread of slice `i` was found."""
        return f"clustered by {self.days[i]} days" if self.days[i] else "independent rows"


def by_day(shares: Floats, present: Bools) -> Spreads:
    """Spread between days. shares: (D, S) each day's contribution; present: (D, S) the day has labels."""
    groups = present.sum(axis=0)
    df = np.maximum(groups - 1.0, 1.0)
    se = np.sqrt(groups / df * np.sum(np.where(present, shares, 0.0) ** 2, axis=0))
    return Spreads(np.where(groups >= MIN_DAYS, se, np.nan), df, groups.astype(np.int64))


def independent(variance: Floats, df: Floats) -> Spreads:
    """Spread of independent rows from their variances (NaN: unknown) and degrees of freedom."""
    return Spreads(np.sqrt(np.maximum(variance, 0.0)), np.maximum(df, 1.0), np.zeros(len(variance), dtype=np.int64))


def widest(rows: Spreads, days: Spreads) -> Spreads:
    """Per slice the one with the wider interval; the known one where the other is unknown."""
    first, second = rows.half_width, days.half_width
    take = np.isnan(first) | (second > first)
    return Spreads(
        np.where(take, days.se, rows.se), np.where(take, days.df, rows.df), np.where(take, days.days, rows.days)
    )


def no_rounding(shares: Floats, size: Floats) -> Floats:
    """`shares` with 0 where they are rounding of terms of magnitude `size`: it must not pass for spread."""
    return np.where(np.abs(shares) <= ROUNDING * size, 0.0, shares)


def compared_all(gain: Floats, spreads: Spreads, n: Floats, trials: Floats, method: str) -> list[Comparison]:
    """`additive.compared` of S slices. trials: rows behind the sign test where there is no spread."""
    from scipy.special import ndtri, stdtr, stdtrit

    alike = (spreads.se == 0) & (gain != 0)
    tail = 0.5 ** np.clip(np.nan_to_num(trials, posinf=1000), 1, 1000)
    se = np.where(alike, np.abs(gain) / -ndtri(tail), spreads.se)
    half = np.where(se > 0, np.where(alike, 1.959963984540054, stdtrit(spreads.df, 0.975)) * se, 0.0)
    z = np.divide(gain, se, out=np.zeros_like(gain), where=se > 0)
    p_harm = np.where(alike, np.where(gain > 0, 1 - tail, tail), stdtr(spreads.df, z))
    found = []
    for i, values in enumerate(zip(*(a.tolist() for a in (gain, se, half, p_harm, spreads.df)), strict=True)):
        g, s, h, p, df = values
        how = f"{method}, {spreads.how(i)}"
        how = f"sign test, every row alike ({how})" if alike[i] else how
        found.append(Comparison(g, s, g - h, g + h, p, int(n[i]), how, None if alike[i] or not s else df))
    return found
