"""Expectations proposed from days that were all right: bounds that another such day seldom leaves.

A day is the unit, because a batch is: what varies between days (missing weather, holidays) widens a bound, however many
rows a day has. Every bound adds what chance does within a day (Clopper & Pearson 1934) or a margin to what was seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.expectations.spec import ExpectationSpec

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
#: Chance that a day like those seen leaves a bound by chance within the day alone.
CHANCE = 1e-3
#: Distinct values a set may name; a column with more is free text or a key.
MOST_VALUES = 60
#: A value that fewer rows than this share have is rare: it may be unlisted, and another rare one may come.
RARE = 5e-4
#: A number with so few values is a code or a count: its range needs no margin.
FEW_VALUES = 30
#: Weekdays are told apart from this many days on.
WEEKS = 14
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Proposal:
    """One expectation and what in the reference days it rests on."""

    spec: ExpectationSpec
    why: str


def propose(days: Mapping[Any, pd.DataFrame], numbers: Sequence[str], texts: Sequence[str]) -> list[Proposal]:
    """days: UTC date -> its rows, two days or more. numbers, texts: columns to look at.

    Presence and types of columns are not proposed: every batch is checked for them before any expectation.
    """
    out = [_row_count(days)]
    for name in numbers:
        values = {day: rows[name].to_numpy(dtype=float, na_value=np.nan) for day, rows in days.items()}
        out += [p for p in _numbers(name, values) if p is not None]
    for name in texts:
        held = {day: rows[name].astype(object) for day, rows in days.items()}
        out += [
            p for p in (_nulls(name, [(int(v.isna().sum()), len(v)) for v in held.values()]), _set(name, held)) if p
        ]
    return [*out, *_ordered_pairs(days, numbers)]


def upper(k: int, n: int, chance: float = CHANCE) -> float:
    """Upper Clopper-Pearson bound of a share, k of n."""
    from scipy.special import betaincinv

    return float(betaincinv(k + 1, n - k, 1 - chance)) if k < n else 1.0


def _spec(name: str, **arguments: Any) -> ExpectationSpec:
    return ExpectationSpec(name=name, arguments={k: v for k, v in arguments.items() if v is not None})


def _row_count(days: Mapping[Any, pd.DataFrame]) -> Proposal:
    """Bounds around each weekday's own median, as one range for all: an expectation knows no weekday."""
    count = np.array([len(rows) for rows in days.values()], dtype=float)
    weekday = np.array([day.weekday() for day in days])
    if len(count) < WEEKS:
        weekday = np.zeros(len(count), dtype=int)
    medians = {int(w): float(np.median(count[weekday == w])) for w in np.unique(weekday)}
    beside = np.log(np.maximum(count, 1)) - np.log([max(medians[int(w)], 1) for w in weekday])
    spread = max(float(np.abs(beside).max()), 3 * 1.4826 * float(np.median(np.abs(beside))), 0.1)
    low = math.floor(min(medians.values()) * math.exp(-1.5 * spread))
    high = math.ceil(max(medians.values()) * math.exp(1.5 * spread))
    shown = ", ".join(f"{WEEKDAYS[w]} {m:,.0f}" for w, m in medians.items()) if len(medians) > 1 else ""
    why = f"{count.min():,.0f} to {count.max():,.0f} rows a day" + (f"; medians {shown}" if shown else "")
    return Proposal(_spec("expect_table_row_count_to_be_between", min_value=max(low, 1), max_value=high), why)


def _nulls(column: str, counts: Sequence[tuple[int, int]]) -> Proposal | None:
    """counts: (missing, rows) by day."""
    missing, rows = (sum(part) for part in zip(*counts, strict=True))
    bound = max(upper(k, n) for k, n in counts if n)
    if missing == 0 and upper(0, rows) < RARE:
        return Proposal(_spec("expect_column_values_to_not_be_null", column=column), f"none missing in {rows:,} rows")
    if bound > 0.95:
        return None
    worst = max(k / n for k, n in counts if n)
    why = f"{missing / rows:.2%} missing, {worst:.2%} on the worst day"
    return Proposal(_spec("expect_column_values_to_not_be_null", column=column, mostly=_down(1 - bound)), why)


def _numbers(name: str, values: Mapping[Any, Floats]) -> Iterator[Proposal | None]:
    yield _nulls(name, [(int(np.isnan(v).sum()), len(v)) for v in values.values()])
    known = {day: v[np.isfinite(v)] for day, v in values.items()}
    known = {day: v for day, v in known.items() if len(v)}
    if len(known) < 2:
        return
    yield _range(name, known)
    yield _median(name, known)
    yield _increasing(name, known)


def _range(name: str, known: Mapping[Any, Floats]) -> Proposal:
    """Extreme quantiles with a margin of a quarter of their distance; what lies outside on the worst day is allowed."""
    values = np.concatenate(list(known.values()))
    low, high = (float(q) for q in np.quantile(values, [0.001, 0.999]))
    margin = 0.0 if len(np.unique(values)) <= FEW_VALUES else 0.25 * (high - low)
    least, most = low - margin, high + margin
    if values.min() >= 0:
        least = max(least, 0.0)
    whole = bool((values == np.round(values)).all())
    least, most = (math.floor(least), math.ceil(most)) if whole else (_round(least, -1), _round(most, 1))
    outside = [(int(((v < least) | (v > most)).sum()), len(v)) for v in known.values()]
    mostly = _down(1 - max(upper(k, n) for k, n in outside)) if any(k for k, _ in outside) else None
    why = f"{values.min():.4g} to {values.max():.4g}, 99.8% within {low:.4g} to {high:.4g}"
    spec = _spec("expect_column_values_to_be_between", column=name, min_value=least, max_value=most, mostly=mostly)
    return Proposal(spec, why)


def _median(name: str, known: Mapping[Any, Floats]) -> Proposal | None:
    """A shift of the whole column (other unit, other clock) moves the day's median, whatever the range allows."""
    values = np.concatenate(list(known.values()))
    few = len(np.unique(values)) <= FEW_VALUES  # the median of a few values jumps from one to the next
    what, middle = ("mean", np.mean) if few else ("median", np.median)
    each = np.array([middle(v) for v in known.values()])
    low, high = float(each.min()), float(each.max())
    width = values.std() if few else np.subtract(*np.quantile(values, [0.75, 0.25]))
    margin = max(0.5 * (high - low), 3 * float(width) / math.sqrt(min(map(len, known.values()))))
    least, most = _round(low - margin, -1), _round(high + margin, 1)
    if margin == 0 or (least <= values.min() and most >= values.max()):
        return None  # it could never fail
    why = f"daily {what}s {low:.4g} to {high:.4g}"
    bounds = {"min_value": max(least, float(values.min())), "max_value": min(most, float(values.max()))}
    return Proposal(_spec(f"expect_column_{what}_to_be_between", column=name, **bounds), why)


def _increasing(name: str, known: Mapping[Any, Floats]) -> Proposal | None:
    """In order of event time; proposed only where every day says so."""
    rises = all(len(v) > 20 and (np.diff(v) >= 0).all() and v[0] < v[-1] for v in known.values())
    if not rises:
        return None
    why = "never falls in order of event time, on any day; files must come in that order"
    return Proposal(_spec("expect_column_values_to_be_increasing", column=name), why)


def _set(name: str, held: Mapping[Any, pd.Series[Any]]) -> Proposal | None:
    """Frequent values; `mostly` allows for what the other days had not shown of a day, and for rare values left out."""
    import pandas as pd

    counts = {day: values.dropna().astype(str).value_counts() for day, values in held.items()}
    counts = {day: c for day, c in counts.items() if len(c)}
    if len(counts) < 2:
        return None
    table = pd.DataFrame(counts).fillna(0)
    total, on = table.sum(axis=1), (table > 0).sum(axis=1)
    listed = total[total / total.sum() >= RARE].index
    if len(listed) > MOST_VALUES or not len(listed):
        return None
    alone = table[on == 1].sum()  # of each day: rows whose value no other day has
    unlisted = table[~table.index.isin(listed)].sum()
    rows = table.sum()
    odd = np.maximum(alone.to_numpy(), unlisted.to_numpy()).astype(int)
    bound = max(upper(int(k), int(n)) for k, n in zip(odd, rows, strict=True))
    rare = len(table) - len(listed)
    why = f"{len(listed)} values" + (f", {rare} rarer ones left out" if rare else "")
    values = sorted(str(value) for value in listed)
    spec = _spec("expect_column_values_to_be_in_set", column=name, value_set=values, mostly=_down(1 - bound))
    return Proposal(spec, why)


def _ordered_pairs(days: Mapping[Any, pd.DataFrame], numbers: Sequence[str]) -> Iterator[Proposal]:
    """a >= b in every one of 1,000 rows or more, of columns whose values overlap so that it is no matter of course."""
    import pandas as pd

    frame = pd.concat([rows[list(numbers)] for rows in days.values()], ignore_index=True)
    columns = {name: frame[name].to_numpy(dtype=float, na_value=np.nan) for name in numbers}
    for a in numbers:
        for b in numbers:
            both = np.isfinite(columns[a]) & np.isfinite(columns[b])
            x, y = columns[a][both], columns[b][both]
            if a == b or len(x) < 1000 or not (x >= y).all() or not (x > y).any() or not _mixed(x, y):
                continue
            pair = {"column_A": a, "column_B": b, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
            spec = _spec("expect_column_pair_values_a_to_be_greater_than_b", **pair)
            yield Proposal(spec, f"{a} was never below {b} in {len(x):,} rows")


def _mixed(x: Floats, y: Floats) -> bool:
    """A fifth of the smaller column's values lie above a fifth of the larger one's."""
    return bool(np.quantile(y, 0.8) > np.quantile(x, 0.2) and x.min() < y.max())


def _down(share: float) -> float:
    """A share in (0, 1), rounded down to three digits of what is missing to 1."""
    missing = 1 - share
    digits = max(0, 2 - math.floor(math.log10(missing))) if missing > 0 else 6
    return float(round(1 - math.ceil(missing * 10**digits) / 10**digits, 6))


def _round(value: float, direction: int) -> float:
    """Three significant digits, away from the values."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    moved = math.ceil(value / unit) if direction > 0 else math.floor(value / unit)
    return float(f"{moved * unit:.12g}")
