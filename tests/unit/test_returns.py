"""Sums of retrains and how good their forecasts were; what the picture draws."""

from __future__ import annotations

import pandas as pd

from continual.core.returns import returns, sentences
from continual.plots.returns import returns as picture

EMPTY = {
    "forecast": None,
    "forecast_low": None,
    "forecast_high": None,
    "gain": None,
    "gain_low": None,
    "gain_high": None,
}


def row(outcome: str, cost: float = 20.0, unit: str = "EUR", **numbers: float | None) -> dict[str, object]:
    return {
        "as_of": pd.Timestamp("2013-05-01", tz="UTC"),
        "unit": unit,
        "outcome": outcome,
        "cost": cost,
        **EMPTY,
        **numbers,
    }


def forecast(value: float) -> dict[str, float]:
    return {"forecast": value, "forecast_low": value - 5, "forecast_high": value + 5}


def gained(value: float) -> dict[str, float]:
    return {"gain": value, "gain_low": value - 2, "gain_high": value + 2}


ROWS = [
    row("first"),
    row("promoted", **forecast(50), **gained(56)),
    row("promoted", **forecast(40), **gained(20)),
    row("promoted", **gained(10)),  # by hand: nobody forecast it
    row("promoted", **forecast(30)),
    row("rejected", **forecast(25), gain=0.0, gain_low=0.0, gain_high=0.0),
]


def test_gains_count_once_measured_and_every_retrain_costs():
    told = returns([row("promoted", unit="USD", **gained(1e6)), *ROWS])
    assert (told.unit, told.other_unit) == ("EUR", 1)
    assert (told.retrains, told.promoted, told.rejected, told.waiting, told.scored) == (6, 4, 1, 1, 3)
    assert (told.gain, told.cost, told.net) == (86, 120, -34)


def test_forecasts_are_compared_where_both_are_known():
    told = returns(ROWS)
    assert (told.compared, told.forecast, told.measured, told.covered, told.bias) == (2, 90, 76, 0.5, -7)
    assert (
        "2 forecasts were measured: 90 forecast, 76 came (-7 on average); the intervals of 50% meet"
        in sentences(told)[1]
    )


def test_nothing_was_retrained():
    told = returns([])
    assert (told.retrains, told.net, told.covered) == (0, 0, None)


def test_the_picture_shows_calibration_and_sums_or_says_why_not():
    left, right = picture(pd.DataFrame(ROWS), "EUR").axes
    points = left.containers[0].lines[0]
    assert list(zip(points.get_xdata(), points.get_ydata(), strict=True)) == [(50, 56), (40, 20)]
    assert [line.get_ydata()[-1] for line in right.lines] == [86, 120, -34]
    none = picture(pd.DataFrame(ROWS[:1]).iloc[:0], "EUR").axes
    assert "no forecast was measured yet" in none[0].texts[0].get_text()
    assert "no retrain was judged yet" in none[1].texts[0].get_text()
