"""Proposed bounds hold on days like those they come from, fail on faults, and are never looser than they must be."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from continual.expectations.suggest import _down, _round, propose, upper


def _days(n: int = 28, rows: int = 800, seed: int = 0, **change: Any) -> dict[date, pd.DataFrame]:
    rng, out = np.random.default_rng(seed), {}
    for number in range(n):
        day = date(2024, 1, 1) + timedelta(days=number)
        size = rows // 2 if day.weekday() >= 5 else rows
        temp = rng.normal(10, 3, size)
        frame = pd.DataFrame(
            {
                "temp": np.where(rng.random(size) < 0.05, np.nan, temp),
                "dew": temp - rng.exponential(2, size),
                "minute": np.sort(rng.integers(0, 1440, size)),
                "flag": rng.integers(0, 2, size).astype(float),
                "origin": rng.choice(["EWR", "JFK", "LGA"], size),
                "key": [f"{number}-{i}" for i in range(size)],
            }
        )
        out[day] = frame.assign(**{name: make(frame) for name, make in change.items()})
    return out


def _proposed(days: dict[date, pd.DataFrame]) -> dict[tuple[str, ...], dict[str, Any]]:
    found = propose(days, ["temp", "dew", "minute", "flag"], ["origin", "key"])
    return {(p.spec.name, *p.spec.columns): p.spec.arguments for p in found}


def test_the_bound_of_a_share_is_exact() -> None:
    for k, n in ((0, 10), (3, 200), (17, 40)):
        assert binom.cdf(k, n, upper(k, n)) == pytest.approx(1e-3, rel=1e-6)
    assert upper(5, 5) == 1.0


def test_what_is_proposed_for_ordinary_days() -> None:
    found = _proposed(_days())
    count = found["expect_table_row_count_to_be_between",]
    assert count["min_value"] < 400 and count["max_value"] > 800
    assert 0.8 < found["expect_column_values_to_not_be_null", "temp"]["mostly"] < 0.93
    assert "mostly" not in found["expect_column_values_to_not_be_null", "minute"]
    temp = found["expect_column_values_to_be_between", "temp"]
    assert -8 < temp["min_value"] < 3 and 17 < temp["max_value"] < 28
    assert found["expect_column_values_to_be_between", "flag"] == {"column": "flag", "min_value": 0, "max_value": 1}
    origin = found["expect_column_values_to_be_in_set", "origin"]
    assert origin["value_set"] == ["EWR", "JFK", "LGA"] and 0.9 < origin["mostly"] < 1
    assert ("expect_column_values_to_be_in_set", "key") not in found
    assert ("expect_column_values_to_be_increasing", "minute") in found
    assert ("expect_column_values_to_be_increasing", "temp") not in found
    assert ("expect_column_pair_values_a_to_be_greater_than_b", "temp", "dew") in found
    assert ("expect_column_pair_values_a_to_be_greater_than_b", "dew", "temp") not in found
    mean = found["expect_column_mean_to_be_between", "flag"]
    assert 0 < mean["min_value"] < 0.5 < mean["max_value"] < 1


def test_what_varies_from_day_to_day_widens_the_bounds() -> None:
    calm, wild = (_proposed(_days(temp=make)) for make in (_lost(0.05), _lost(0.4)))
    key = ("expect_column_values_to_not_be_null", "temp")
    assert wild[key]["mostly"] < 0.6 < calm[key]["mostly"]


def _lost(share: float) -> Any:
    """The first day of each week lacks this share."""
    return lambda f: f["temp"].where(~((f["key"].str.split("-").str[0].astype(int) % 7 == 0) & (f.index < share * 800)))


def test_rare_values_are_left_out_and_allowed_for() -> None:
    rare = lambda f: f["origin"].where(f.index != 5, f["key"])  # noqa: E731  a value of its own every day
    found = _proposed(_days(origin=rare))["expect_column_values_to_be_in_set", "origin"]
    assert found["value_set"] == ["EWR", "JFK", "LGA"]
    assert found["mostly"] < 1 - upper(0, 400)


@pytest.mark.parametrize(
    ("value", "down", "up"), [(1234.5, 1230.0, 1240.0), (-0.01234, -0.0124, -0.0123), (0.0, 0.0, 0.0)]
)
def test_bounds_are_rounded_away_from_the_values(value: float, down: float, up: float) -> None:
    assert (_round(value, -1), _round(value, 1)) == pytest.approx((down, up))


def test_a_share_is_rounded_down() -> None:
    assert _down(0.98765) == pytest.approx(0.9876) and _down(0.5) == 0.5 and _down(1.0) == 1.0
