"""Forecast against measured gain of retrains, and what came of them in sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from continual.plots.style import BLUE, INK, RED, empty, figure, legend, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def returns(frame: pd.DataFrame, unit: str) -> Figure:
    """frame: rows of `retrain_result` in one unit, oldest first. Left: calibration of the forecasts, 95% intervals on
    both axes; on the dashed line they hold. Right: measured gain, cost and their difference, added up."""
    made, axes = figure(9.5, 4.2)
    axes.remove()
    left, right = made.subplots(1, 2)
    for one in (left, right):
        plain(one)
    _calibration(
        left, frame[frame["gain"].notna() & frame["forecast"].notna() & (frame["outcome"] == "promoted")], unit
    )
    _sums(right, frame, unit)
    return made


def _calibration(axes: Axes, rows: pd.DataFrame, unit: str) -> None:
    if rows.empty:
        empty(axes, "no forecast was measured yet")
        return
    columns = ("forecast", "forecast_low", "forecast_high", "gain", "gain_low", "gain_high")
    told, low, high, gain, least, most = (rows[name].to_numpy(dtype=float) for name in columns)
    axes.errorbar(
        told, gain, xerr=[told - low, high - told], yerr=[gain - least, most - gain],
        fmt="o", color=BLUE, ecolor=BLUE, elinewidth=1, markersize=4, alpha=0.7,
    )  # fmt: skip
    ends = np.array([min(told.min(), gain.min(), 0.0), max(told.max(), gain.max())])
    axes.plot(ends, ends, color=INK, linewidth=1, linestyle=(0, (4, 3)), gid="ideal")
    axes.set(xlabel=f"forecast gain, {unit}", ylabel=f"measured gain, {unit}")


def _sums(axes: Axes, frame: pd.DataFrame, unit: str) -> None:
    if frame.empty:
        empty(axes, "no retrain was judged yet")
        return
    gain = frame["gain"].fillna(0.0).to_numpy(dtype=float).cumsum()
    cost = frame["cost"].to_numpy(dtype=float).cumsum()
    at = frame["as_of"].to_numpy("datetime64[D]")
    for values, said, colour, line in (
        (gain, "gain", BLUE, "-"),
        (cost, "cost", RED, "--"),
        (gain - cost, "net", INK, ":"),
    ):
        axes.step(at, values, where="post", color=colour, linestyle=line, label=said, linewidth=1.5)
    axes.set(xlabel="as of", ylabel=f"{unit}, all retrains so far")
    axes.tick_params(axis="x", rotation=30)
    legend(axes)
