"""One line a policy: a metric over time or over the age of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.plots.style import COLOURS, INK, LINES, empty, figure, legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lines that can be told apart; of more policies the first so many are drawn in colour.
TOLD_APART = 8


def policy_lines(
    lines: Mapping[str, Sequence[float | None]], at: Sequence[Any], metric: str, along: str, dates: bool = False
) -> Figure:
    """lines: policy -> values at the places `at`, None = undefined. along: what the places are."""
    made, axes = figure(8, 3.4)
    values = {name: np.array([np.nan if v is None else v for v in line], dtype=float) for name, line in lines.items()}
    if not any(np.isfinite(line).any() for line in values.values()):
        empty(axes, f"{metric} is not defined anywhere")
        return made
    for i, (name, line) in enumerate(values.items()):
        some = i < TOLD_APART
        style: dict[str, Any] = {"color": COLOURS[i % 4] if some else INK, "linewidth": 1.6 if some else 0.6}
        label = name if some else None
        axes.plot(at, line, LINES[i // 4 % 4] if some else "-", label=label, marker="o", markersize=2.5, **style)
    axes.set_ylabel(metric)
    axes.set_xlabel(along)
    if dates:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        axes.xaxis.get_offset_text().set(color=INK, fontsize=8)
    legend(axes, loc="best")
    return made
