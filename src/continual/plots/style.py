"""One look: colours that colour-blind people tell apart and that read on white and on black."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: 4.5:1 on white and 4.6:1 on black.
INK = "#767676"
FAINT = "#76767626"
#: Okabe & Ito 2008, those with a contrast of 3:1 on both grounds.
BLUE, RED, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLOURS = (BLUE, RED, GREEN, PURPLE)
#: Dark to light, even for colour-blind eyes and in grey.
SCALE = "cividis"
LINES = ("-", "--", ":", "-.")


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure in inches with one plain pair of axes; needs no display and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained", dpi=120)
    FigureCanvasAgg(made)
    made.patch.set_alpha(0)
    axes = made.add_subplot()
    plain(axes)
    return made, axes


def plain(axes: Axes) -> None:
    """No ground, no box: the picture sits on a light or a dark page."""
    axes.patch.set_alpha(0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
    axes.tick_params(colors=INK, labelcolor=INK, labelsize=9)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(INK)
        axis.label.set_fontsize(9)


def legend(axes: Axes, **where: Any) -> None:
    """No frame; only where there is something to tell apart."""
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=8, **where)


def number(value: float | None, digits: int = 3) -> str:
    """Short, without a sign in front of 0; 'undefined' for None and NaN."""
    if value is None or math.isnan(value):
        return "undefined"
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.{digits}f}".replace("-0." + "0" * digits, "0." + "0" * digits)
    return f"{value:.3g}"


def empty(axes: Axes, text: str) -> None:
    """Says why there is no picture."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=INK, transform=axes.transAxes)
