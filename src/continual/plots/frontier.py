"""What each policy cost against how good it was; the line joins those that nothing beats on both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from continual.plots.style import BLUE, INK, RED, empty, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def frontier(points: Mapping[str, tuple[float, float | None]], metric: str, cost: str, higher: bool = True) -> Figure:
    """points: policy -> (cost, value of the metric; None = undefined). higher: whether more of the metric is better."""
    made, axes = figure(6, 4)
    known = {name: (x, y) for name, (x, y) in points.items() if y is not None}
    if not known:
        empty(axes, f"{metric} is not defined for any policy")
        return made
    best = undominated(known, higher)
    axes.plot(*zip(*(known[name] for name in best), strict=True), color=BLUE, linewidth=1.2, zorder=1)
    for name, (x, y) in known.items():
        axes.plot([x], [y], "o", color=BLUE if name in best else RED, markersize=5)
        axes.annotate(name, (x, y), xytext=(5, 3), textcoords="offset points", fontsize=8, color=INK)
    axes.set_xlabel(cost)
    axes.set_ylabel(metric)
    return made


def undominated(points: Mapping[str, tuple[float, float]], higher: bool = True) -> list[str]:
    """Names in the order of their cost, each better than all that cost no more."""
    sign, out, top = 1.0 if higher else -1.0, [], float("-inf")
    for name in sorted(points, key=lambda name: (points[name][0], -sign * points[name][1])):
        if sign * points[name][1] > top:
            out.append(name)
            top = sign * points[name][1]
    return out
