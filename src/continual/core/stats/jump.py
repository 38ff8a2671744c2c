"""How far shares of rows jumped from what earlier days would make one expect, against the noise of those days.

A share of rows (below a quantile, of a category, missing) of the newest days is compared with the reference days:
of a slice its *contrast* to all other rows of the same days, which cancels what moves everybody (weather, season),
of all rows the share itself; both with the usual level of each weekday. The noise floor is rows' sampling noise plus
the day-to-day variance of the reference days beyond it (method of moments, DerSimonian & Laird 1986; over-dispersion
as in Finney 1971). Evidence is n KL(found, expected), so that rare categories are not judged by a normal curve
(Chernoff's bound), turned into noise units by its signed root; an estimated noise is paid for by Student's t
(Satterthwaite 1946). A season drifts: the reference days' straight line (least squares, weekdays apart) says where it
is by the newest days, and what the line is not sure of counts as noise. A share that drifted to where it varies more is
given the noise it has there. Shapes: (..., S, C) for S slices, the first all rows, and C shares; days come as an axis
before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WEEK = 7
#: From three days of each weekday on, weekdays are told apart.
MIN_SEASON = 21
#: A slope whose square is this many times its variance is clear by itself.
CLEAR = 2.0


@dataclass(frozen=True)
class Reference:
    """What the reference days say. mean: (7, ..., S, C) contrast expected of each weekday on the newest day. days,
    rows: (7, ..., S, C) what each mean rests on. share: (..., S, C). extra: variance of a day beyond sampling. df: of
    `extra`. widest: the largest deviation of a reference day, any share of the kind, beyond three standard errors of
    its rows. trend: see `_Trend`."""

    mean: Floats
    days: Floats
    rows: Floats
    share: Floats
    total: Floats
    extra: Floats
    df: Floats
    widest: Floats
    trend: _Trend


class _Trend(NamedTuple):
    """slope: (..., S, C) contrast a day; 0 while there are too few days. by_days, by_rows: what carrying it to the
    newest day adds to 1/days and to 1/rows of the means."""

    slope: Floats
    by_days: Floats
    by_rows: Floats


@dataclass(frozen=True)
class Jump:
    """effect: share found minus expected. size: distance in noise units, >= 0. df: of Student's t that `size` follows
    without a fault; inf = normal. rows: of the new days. widest: see `Reference`."""

    effect: Floats
    size: Floats
    df: Floats
    rows: Floats
    widest: Floats


def shares(counts: Floats, totals: Floats) -> tuple[Floats, Floats, Floats]:
    """Contrast of each slice, share of the others, and rows of the others; (D, ..., S, C) like the arguments."""
    others = totals[..., :1, :] - totals
    share = _ratio(counts, totals)
    rest = _ratio(counts[..., :1, :] - counts, others)
    rest[..., 0, :] = 0.0  # all rows have nothing to be compared with but their own past
    return share - rest, rest, others


def reference(counts: Floats, totals: Floats, weekday: Ints, clean: Floats, kinds: Ints, ahead: int = 1) -> Reference:
    """counts, totals: (D, ..., S, C). weekday: (D,) 0..6. clean: (D, ..., S, C) weights 1 or 0, 0 = leave out. kinds:
    (C,) shares of one kind have one `widest`. ahead: days from the last reference day to the newest day."""
    contrast, _, others = shares(counts, totals)
    weight = clean * _precision(totals, others)
    used = (weight > 0).astype(float)
    days = used.sum(axis=0)
    season = days >= MIN_SEASON
    ago = np.arange(1 - len(counts), 1, dtype=float) - ahead
    total, hits = (used * totals).sum(axis=0), (used * counts).sum(axis=0)
    share = (hits + 0.5) / (total + 1)
    trend = _trend(contrast, weight, used, weekday, ago, kinds)
    # a straight line must not carry a small share to none, where a few rows would be a wonder
    most = np.minimum(share, 1 - share) / 2 / (ahead + len(counts) / 2)
    trend = trend._replace(slope=np.clip(trend.slope, -most, most))
    contrast = contrast - trend.slope * _along(ago, contrast)
    mean, of_day, of_rows = _weekdays(contrast, weight, used, weekday, days)
    residual = contrast - mean[weekday]
    df = np.maximum(days - np.where(season, WEEK + 1.0, 1.0), 1.0)
    sampling = _sampling(share, used, totals, others, _rest_share(counts, totals, used))  # of one usual day
    found = _ratio((weight * residual**2).sum(axis=0), weight.sum(axis=0)) * days / df
    extra = np.maximum(_dispersion(_ratio(found, sampling), kinds) - 1, 0.0) * sampling
    return Reference(mean, of_day, of_rows, share, total, extra, df, _widest(residual, weight, sampling, kinds), trend)


def _along(days: Floats, like: Floats) -> Floats:
    return days.reshape(-1, *[1] * (like.ndim - 1))


def _trend(contrast: Floats, weight: Floats, used: Floats, weekday: Ints, ago: Floats, kinds: Ints) -> _Trend:
    """Weighted least squares with a level for each weekday (Frisch & Waugh 1933): both sides without their means; then
    drawn to no drift (empirical Bayes, Morris 1983)."""
    time = np.broadcast_to(_along(ago, contrast), contrast.shape)
    late, moved = np.zeros(contrast.shape), np.zeros(contrast.shape)
    for number in range(WEEK):
        own = weekday == number
        part = weight[own].sum(axis=0)
        late[own] = time[own] - _ratio((weight[own] * time[own]).sum(axis=0), part)
        moved[own] = contrast[own] - _ratio((weight[own] * contrast[own]).sum(axis=0), part)
    rows, days = (weight * late**2).sum(axis=0), (used * late**2).sum(axis=0)
    slope = _ratio((weight * late * moved).sum(axis=0), rows)
    spare = np.maximum(used.sum(axis=0) - WEEK - 1, 1.0)
    variance = _ratio((used * (moved - slope * late) ** 2).sum(axis=0) / spare, days)
    keep = np.where(used.sum(axis=0) >= MIN_SEASON, _kept(slope, variance, (used * moved**2).sum(axis=0), kinds), 0.0)
    reach = keep * _ratio((weight * time).sum(axis=0), weight.sum(axis=0)) ** 2
    return _Trend(keep * slope, _ratio(reach, days), _ratio(reach, rows))


def _kept(slope: Floats, variance: Floats, unit: Floats, kinds: Ints) -> Floats:
    """(..., S, C) share of a slope that is kept: how much slopes of the slices and shares of one kind differ beyond
    noise, by moments, in a `unit` that makes shares comparable; or what a slope that is clear by itself deserves."""
    size, noise = _ratio(slope**2, unit), _ratio(variance, unit)
    trust = _ratio(np.ones_like(noise), noise**2)
    keep = np.maximum(1 - CLEAR * _ratio(noise, size), 0.0) * (size > 0)
    for kind in np.unique(kinds):
        for slices in (slice(0, 1), slice(1, None)):
            own = (..., slices, kinds == kind)
            total = trust[own].sum(axis=(-2, -1), keepdims=True)
            spread = np.maximum(_ratio((trust[own] * (size - noise)[own]).sum(axis=(-2, -1), keepdims=True), total), 0)
            keep[own] = np.maximum(keep[own], _ratio(spread + 0 * noise[own], spread + noise[own]))
    return keep


def _widest(residual: Floats, weight: Floats, sampling: Floats, kinds: Ints) -> Floats:
    beyond = np.abs(residual) - 3 * np.sqrt(sampling)
    swings: Floats = np.where(weight > 0, np.maximum(beyond, 0.0), 0.0).max(axis=0)
    widest: Floats = np.zeros_like(swings)
    for kind in np.unique(kinds):
        widest[..., kinds == kind] = swings[..., kinds == kind].max(axis=-1, keepdims=True)
    return widest


def _dispersion(ratio: Floats, kinds: Ints) -> Floats:
    """Variance of the days over what independent rows would give."""
    ratio, shape = ratio.copy(), kinds == 0
    if shape.any():  # rows that share a day's shocks share them in every share of the distribution
        ratio[..., shape] = np.maximum(ratio[..., shape], np.median(ratio[..., shape], axis=-1, keepdims=True))
    if ratio.shape[-2] > 2:  # a slice's own few days may look calmer than days are
        ratio[..., 1:, :] = np.maximum(ratio[..., 1:, :], np.median(ratio[..., 1:, :], axis=-2, keepdims=True))
    return ratio


def _rest_share(counts: Floats, totals: Floats, used: Floats) -> Floats:
    """(..., S, C) share of the rows outside each slice, all reference days pooled; 0 for all rows."""
    out = _ratio((used * (counts[..., :1, :] - counts)).sum(axis=0), (used * (totals[..., :1, :] - totals)).sum(axis=0))
    out[..., 0, :] = 0.0
    return out


def _sampling(share: Floats, used: Floats, totals: Floats, others: Floats, rest: Floats) -> Floats:
    """Variance of the contrast of a usual day if rows were independent."""
    days = used.sum(axis=0)
    inside, outside = ((used * _inverse(n)).sum(axis=0) for n in (totals, others))
    return _ratio(share * (1 - share) * inside + rest * (1 - rest) * outside, days)


def _weekdays(
    contrast: Floats, weight: Floats, used: Floats, weekday: Ints, days: Floats
) -> tuple[Floats, Floats, Floats]:
    """Mean, days and precision per weekday, drawn to the mean of all days by the weight of one day; the mean of all
    days while there are too few."""
    means, counts, rows = [], [], []
    overall = _ratio((weight * contrast).sum(axis=0), weight.sum(axis=0))
    one = _ratio(weight.sum(axis=0), days)
    season = days >= MIN_SEASON
    for number in range(WEEK):
        own = weekday == number
        part = weight[own].sum(axis=0)
        drawn = _ratio((weight[own] * contrast[own]).sum(axis=0) + one * overall, part + one)
        means.append(np.where(season, drawn, overall))
        counts.append(np.where(season, used[own].sum(axis=0) + 1, days))
        rows.append(np.where(season, part + one, weight.sum(axis=0)))
    return np.array(means), np.array(counts), np.array(rows)


def jump(counts: Floats, totals: Floats, weekday: Ints, past: Reference) -> Jump:
    """The newest days, pooled, against the past; counts, totals: (W, ..., S, C), weekday: (W,)."""
    contrast, rest, others = shares(counts, totals)
    rows = totals.sum(axis=0)
    part = _ratio(totals, rows[None])
    found = (part * (contrast + rest)).sum(axis=0)
    back = _along(np.arange(1.0 - len(counts), 1.0), counts)
    level = past.mean[weekday] + past.trend.slope * back
    expected = np.clip((part * (level + rest)).sum(axis=0), 0.0, 1.0)
    floor = 0.5 / (past.total + 1)
    base = np.clip(expected, floor, 1 - floor)
    spread = base * (1 - base)
    aside = (part * rest).sum(axis=0)
    per_row = _inverse(rows) + (part**2 / np.maximum(past.rows[weekday], 1e-12)).sum(axis=0) + past.trend.by_rows
    of_rest = np.maximum(aside * (1 - aside), 0.0) * _inverse(others.sum(axis=0))
    of_rest[..., 0, :] = 0.0
    # not divided by the number of days: bad days come in rows
    moved = np.maximum(spread / (past.share * (1 - past.share)), 1.0)
    between = past.extra * moved * (1 + (part**2 / np.maximum(past.days[weekday], 1)).sum(axis=0) + past.trend.by_days)
    variance = spread * per_row + of_rest + between
    nats = _ratio(spread, variance) * _kl(found, base)
    df = past.df * np.where(between > 0, (variance / np.where(between > 0, between, 1.0)) ** 2, np.inf)
    known = (rows > 0) & (past.total > 0) & (past.df > 1)
    effect = np.where(known, found - expected, 0.0)
    return Jump(effect, np.where(known, np.sqrt(2 * nats), 0.0), df, rows, past.widest)


def quantile_needed(level: float, df: Floats) -> Floats:
    """Noise units that are exceeded to either side with probability `level`, for each df."""
    from scipy.special import ndtri, stdtrit

    normal = -float(ndtri(level / 2))
    finite = np.isfinite(df) & (df < 1e6)
    return np.where(finite, -stdtrit(np.where(finite, df, 1e6), level / 2), normal)


def _inverse(rows: Floats) -> Floats:
    return _ratio(np.ones_like(rows), rows)


def _precision(rows: Floats, others: Floats) -> Floats:
    """1 / (1/rows + 1/others) of slices, rows of all rows (the first slice); 0 where a side is empty."""
    out: Floats = _ratio(rows * others, rows + others)
    out[..., 0, :] = rows[..., 0, :]
    return out


def _kl(found: Floats, base: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        up = np.where(found > 0, found * np.log(found / base), 0.0)
        down = np.where(found < 1, (1 - found) * np.log((1 - found) / (1 - base)), 0.0)
    return np.maximum(up + down, 0.0)  # type: ignore[no-any-return]


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros(np.broadcast_shapes(top.shape, bottom.shape)), where=bottom > 0)
