"""A comparison on every slice: who gains, who loses, and what could not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from continual.plots.slice_heatmap import by_support
from continual.plots.style import BLUE, FAINT, GREEN, INK, RED, empty, figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def forest(frame: pd.DataFrame, unit: str = "", limit: int = 40) -> Figure:
    """frame: comparisons of one metric, a row a slice; largest slices on top, overall first.

    Red: the interval lies below 0. Green: above 0. Blue: open. The dashed line of each slice is its harm line, -margin.
    A slice without a comparison is named 'undefined'. unit: of the metric, for the axis.

    Raises
    ------
    ValueError: the frame holds several metrics, or a slice twice.
    """
    if frame["metric"].nunique() > 1 or frame["slice"].duplicated().any():
        raise ValueError("one metric and each slice once a picture")
    order, left_out = by_support(frame, limit)
    made, axes = figure(7, 1.0 + 0.27 * max(len(order), 2))
    if not order:
        empty(axes, "no slice was compared")
        return made
    rows = frame.set_index("slice").loc[order]
    for at, (name, row) in enumerate(rows.iterrows()):
        _slice(axes, at, row, bold=name == "overall")
    axes.axvline(0, color=INK, linewidth=1)
    names = [f"{name}  n={int(n):,}" for name, n in rows["n"].items()]
    axes.set_yticks(range(len(order)), names, fontsize=8)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _label(axes, str(rows["metric"].iloc[0]), unit, left_out)
    return made


def colour(low: float, high: float) -> str:
    """What an interval says: harm, gain or neither."""
    return RED if high < 0 else GREEN if low > 0 else BLUE


def _slice(axes: Axes, at: int, row: pd.Series, bold: bool) -> None:
    gain, low, high, margin = (float(row[name]) for name in ("gain", "low", "high", "margin"))
    if np.isfinite(margin):
        axes.plot([-margin, -margin], [at - 0.5, at + 0.5], color=RED, linestyle=(0, (2, 2)), linewidth=1, gid="harm")
    if not np.isfinite(gain):
        axes.axhspan(at - 0.4, at + 0.4, color=FAINT, linewidth=0)
        axes.annotate(
            "undefined", (0, at), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7, color=INK
        )
        return
    shade = colour(low, high)
    axes.plot([low, high], [at, at], color=shade, linewidth=3 if bold else 1.8, solid_capstyle="butt", gid="interval")
    axes.plot([gain], [at], color=shade, marker="D" if bold else "o", markersize=6 if bold else 5, gid="gain")
    axes.annotate(f"{gain:+.3f}", (1, at), xycoords=("axes fraction", "data"), xytext=(4, 0),
                  textcoords="offset points", va="center", fontsize=7.5, color=INK)  # fmt: skip


def _label(axes: Axes, metric: str, unit: str, left_out: int) -> None:
    of = f" [{unit}]" if unit else ""
    more = f"; smaller slices not shown: {left_out:,}" if left_out else ""
    axes.set_xlabel(f"gain in {metric}{of}, candidate - champion, 95% interval; right = better; dashed: -margin{more}")
    axes.xaxis.label.set_fontsize(8)
