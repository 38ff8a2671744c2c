"""Labels of one outcome only are no proof that the delay tells nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from continual.core.stats.maturity import readable

LAG = timedelta(days=1)


def _read(days, slow):
    event = np.datetime64("2024-01-01T06", "us") + np.repeat(np.arange(days), 100) * np.timedelta64(1, "D")
    y = (np.arange(len(event)) % 3 == 0).astype(float)
    known = event + np.where(y == 1, slow, 6).astype(np.int64) * np.timedelta64(1, "h")
    as_of = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=days) + LAG
    there = known <= np.datetime64(as_of.replace(tzinfo=None))
    known, y = np.where(there, known, np.datetime64("NaT")), np.where(there, y, np.nan)
    return readable(event, known, y, as_of, LAG, 2 * LAG)


def test_one_outcome_slower_than_every_limit_is_seen_and_only_whole_days_are_read():
    found = _read(16, slow=144)
    assert found.delay.depends
    assert found.refused == tuple(f"2024-01-{d:02d}" for d in range(12, 17))
    assert found.use.sum() == 1100
    assert found.problem is None
    assert found.missing == pytest.approx(0.34, abs=0.01)


def test_a_delay_that_is_the_same_for_all_costs_nothing():
    found = _read(16, slow=6)
    assert (found.refused, found.reason, int(found.use.sum())) == ((), "", 1600)


def test_no_rows_are_read_without_complaint():
    none = np.zeros(0, dtype="datetime64[us]")
    found = readable(none, none, np.zeros(0), datetime(2024, 1, 1, tzinfo=UTC), LAG, 2 * LAG)
    assert (found.refused, len(found.use)) == ((), 0)
