"""How far each column is from its reference, beside what chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from continual.plots.style import BLUE, INK, RED, empty, figure, legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def drift(frame: pd.DataFrame, distance: str, unit: str = "", limit: int = 40) -> Figure:
    """frame: a row a column: column, value, low, high, expected (a `distances.base.Drift` each); the furthest on top.

    Red: the interval lies above what is expected when nothing changes (the tick). distance: name for the axis. Columns
    whose distance is undefined are left out and counted.
    """
    rows = frame[frame["value"].notna()].sort_values("value", ascending=False)
    undefined, left_out = len(frame) - len(rows), max(len(rows) - limit, 0)
    rows = rows.head(limit)
    made, axes = figure(6.5, 1.0 + 0.27 * max(len(rows), 2))
    if rows.empty:
        empty(axes, "no column could be compared")
        return made
    value, low, high, expected = (rows[name].to_numpy(dtype=float) for name in ("value", "low", "high", "expected"))
    at, moved = np.arange(len(rows)), low > expected
    for which, colour, label in ((moved, RED, "moved"), (~moved, BLUE, "within chance")):
        if which.any():
            axes.barh(at[which], value[which], height=0.6, color=colour, alpha=0.55, linewidth=0, label=label)
    axes.hlines(at, low, high, color=INK, linewidth=1.6)
    axes.vlines(expected, at - 0.42, at + 0.42, color=INK, linewidth=2, label="expected without change")
    axes.set_yticks(at, rows["column"].astype(str), fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0)
    parts = [f"{left_out:,} nearer columns not shown"] * bool(left_out) + [f"{undefined:,} undefined"] * bool(undefined)
    name = f"{distance} [{unit}]" if unit else distance
    axes.set_xlabel("; ".join([f"{name}, 95% interval", *parts]))
    legend(axes, loc="lower right")
    return made
