"""Which old version is asked, and on which rows it is chosen and judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from continual.core.window import Window
from continual.core.zoo import OldVersion, surest
from continual.flows.zoo import halves_of

NOON = datetime(2013, 8, 1, 12, tzinfo=UTC)


def old(version: str, low: float | None, gain: float | None = None) -> OldVersion:
    return OldVersion(version, gain if gain is not None else low, low, None if low is None else low + 0.1, 500)


def test_the_surest_version_is_asked_not_the_one_with_the_luckiest_mean():
    found = surest([old("1", 0.01, 0.02), old("2", 0.005, 0.09), old("3", None)])
    assert found is not None and found.version == "1"


@pytest.mark.parametrize("lows", [(), (None,), (-0.001, 0.0), (-0.2, None)])
def test_none_is_asked_that_is_not_better_for_sure(lows):
    assert surest([old(str(i), low) for i, low in enumerate(lows)]) is None


@pytest.mark.parametrize("days", [2, 3, 4, 28])
def test_halves_are_disjoint_whole_days_that_fill_the_window(days):
    start = NOON.replace(hour=0)
    found = halves_of(Window(start, start + timedelta(days=days)))
    assert found is not None
    assert (found.choose.start, found.choose.end, found.judge.end) == (
        start,
        found.judge.start,
        start + timedelta(days),
    )
    assert found.choose.end.hour == 0 and abs(found.choose.days - found.judge.days) <= 1


def test_a_day_has_no_halves():
    assert halves_of(Window(NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1))) is None
