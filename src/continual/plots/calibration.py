"""Predicted probabilities against what came true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.plots.style import BLUE, INK, empty, figure, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]


def calibration(frame: pd.DataFrame) -> Figure:
    """frame: a row a score bin: score (mean predicted probability), rate (observed share of positives), low, high (its
    95% interval), n (labelled rows); bins without rows are left out. The bars below show where the rows are."""
    made, axes, below = _pair()
    rows = frame[(frame["n"] > 0) & frame["rate"].notna()].sort_values("score")
    if rows.empty:
        below.set_axis_off()
        empty(axes, "no labelled row")
        return made
    score, rate, low, high = (rows[name].to_numpy(dtype=float) for name in ("score", "rate", "low", "high"))
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)), gid="ideal")
    known = np.isfinite(low) & np.isfinite(high)
    axes.vlines(score[known], low[known], high[known], color=BLUE, alpha=0.5, linewidth=2)
    axes.plot(score, rate, color=BLUE, marker="o", markersize=4, linewidth=1.4, gid="observed")
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that came true")
    axes.tick_params(labelbottom=False)
    _support(below, score, rows["n"].to_numpy(dtype=float))
    return made


def _pair() -> tuple[Figure, Axes, Axes]:
    made, axes = figure(4.4, 4.8)
    axes.remove()
    axes, below = made.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    plain(axes)
    plain(below)
    return made, axes, below


def _support(below: Axes, score: Floats, n: Floats) -> None:
    gap = np.min(np.diff(score), initial=1.0)
    below.bar(score, n, width=max(0.8 * gap, 0.008), color=INK, linewidth=0)
    below.set_xlabel("predicted probability")
    below.set_ylabel("rows")
    below.locator_params(axis="y", nbins=2, integer=True)
