"""The label-lag curve: how many labels are there after how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from continual.core.label_lag import LagCurve
from continual.plots.style import COLOURS, INK, LINES, empty, figure, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Seconds of the units of the axis; the largest that the longest lag fills twice.
UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


def label_lag(curves: Mapping[str, LagCurve], lag: timedelta | None = None) -> Figure:
    """curves: slice -> curve, the first four with their interval. lag: the policy's, shown as a dashed line."""
    made, axes = figure(7, 3)
    seen = {name: curve for name, curve in curves.items() if len(curve.lag)}
    if not seen:
        empty(axes, "no label has come yet")
        return made
    longest = max(float(curve.lag[-1]) for curve in seen.values())
    unit, size = next(((u, s) for u, s in UNITS if longest >= 2 * s), UNITS[-1])
    for i, (name, curve) in enumerate(seen.items()):
        _curve(axes, name, curve, size, i)
    if lag is not None:
        axes.axvline(lag.total_seconds() / size, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate("label lag", (lag.total_seconds() / size, 0.02), xytext=(3, 0), textcoords="offset points",
                      fontsize=8, color=INK)  # fmt: skip
    axes.set_xlim(0)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_xlabel(f"time since the event [{unit}]")
    axes.set_ylabel("rows with a label")
    legend(axes, loc="lower right")
    return made


def _curve(axes: Axes, name: str, curve: LagCurve, size: float, i: int) -> None:
    """A step a label; flat until the oldest row that still waits."""
    end = max(curve.longest_wait, float(curve.lag[-1]))
    lag = np.concatenate([[0.0], curve.lag, [end]]) / size
    share, low, high = (np.concatenate([[0.0], y, y[-1:]]) for y in (curve.share, curve.low, curve.high))
    kept = _thinned(len(lag))
    label = f"{name}, n={curve.n:,}"
    colour = COLOURS[i % 4]
    axes.step(lag[kept], share[kept], LINES[i // 4 % 4], where="post", color=colour, label=label, linewidth=1.6)
    if i < len(COLOURS):
        axes.fill_between(lag[kept], low[kept], high[kept], step="post", color=colour, alpha=0.28, linewidth=0)


def _thinned(n: int, most: int = 2000) -> np.typing.NDArray[np.int64]:
    """A million steps would be a million line segments."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
