"""Slices by metrics: where a model is weak, and where nobody knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.plots.style import FAINT, INK, SCALE, empty, figure, number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]


def slice_heatmap(frame: pd.DataFrame, lower_is_better: Collection[str] = (), limit: int = 40) -> Figure:
    """frame: metrics of one version, a row a slice and metric. The slices with most rows on top, overall first.

    Colour is the place between the worst (dark) and the best (light) slice of each metric by itself; lower_is_better:
    metrics to turn round. Grey = undefined. limit: slices shown; the axis says how many are left out.

    Raises
    ------
    ValueError: a slice and metric comes twice (several versions or windows).
    """
    if frame.duplicated(["slice", "metric"]).any():
        raise ValueError("a heat map shows one version in one window: a slice and metric comes twice")
    order, left_out = by_support(frame, limit)
    metrics = list(dict.fromkeys(frame["metric"]))
    made, axes = figure(2.2 + 1.35 * max(len(metrics), 1), 0.9 + 0.36 * max(len(order), 2))
    if not order:
        empty(axes, "no slice was measured")
        return made
    table = {name: frame.pivot(index="slice", columns="metric", values=name) for name in ("value", "low", "high")}
    value, low, high = (table[name].reindex(index=order, columns=metrics).to_numpy(dtype=float) for name in table)
    place = ranked(value, [name in lower_is_better for name in metrics])
    _cells(axes, place, value, low, high)
    _axes(axes, metrics, _names(frame, order), left_out)
    return made


def by_support(frame: pd.DataFrame, limit: int) -> tuple[list[str], int]:
    """Names of at most `limit` slices, overall first, then those with most rows; and how many are left out."""
    n = frame.groupby("slice", sort=False)["n"].max()
    names = sorted(n.index, key=lambda name: (name != "overall", -n[name], name))
    return names[:limit], max(len(names) - limit, 0)


def ranked(value: Floats, turned: list[bool]) -> Floats:
    """(slices, metrics) place between the worst, 0, and the best, 1, of each column; .5 where all are equal."""
    signed = np.where(turned, -value, value)
    seen = np.isfinite(signed)
    low = np.min(signed, axis=0, where=seen, initial=np.inf)
    high = np.max(signed, axis=0, where=seen, initial=-np.inf)
    span = np.where(high > low, high - low, 1.0)
    return np.where(high > low, (signed - low) / span, np.where(seen, 0.5, np.nan))


def _cells(axes: Axes, place: Floats, value: Floats, low: Floats, high: Floats) -> None:
    from matplotlib import colormaps

    scale = colormaps[SCALE].with_extremes(bad=FAINT)
    axes.imshow(np.ma.masked_invalid(place), cmap=scale, vmin=0, vmax=1, aspect="auto")
    for (row, column), at in np.ndenumerate(place):
        known = np.isfinite(value[row, column])
        ink = INK if not known else ("white" if at < 0.45 else "black")
        text = number(float(value[row, column]))
        axes.text(column, row - (0.14 if known else 0), text, ha="center", va="center", fontsize=8.5, color=ink)
        if known and np.isfinite(low[row, column]):
            ends = (number(float(end[row, column])) for end in (low, high))
            interval = " .. ".join(ends)
            axes.text(column, row + 0.24, interval, ha="center", va="center", fontsize=6, color=ink)


def _names(frame: pd.DataFrame, order: list[str]) -> list[str]:
    n = frame.groupby("slice")["n"].max()
    return [f"{name}  n={int(n[name]):,}" for name in order]


def _axes(axes: Axes, metrics: list[str], names: list[str], left_out: int) -> None:
    axes.set_xticks(range(len(metrics)), metrics)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    more = f"; smaller slices not shown: {left_out:,}" if left_out else ""
    axes.set_xlabel(f"light = best slice of the metric, dark = worst; small: 95% interval{more}", fontsize=7)
