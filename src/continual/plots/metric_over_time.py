"""A metric by day, with its interval and the promotions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from continual.plots.style import COLOURS, INK, LINES, empty, figure, legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def metric_over_time(frame: pd.DataFrame, promotions: Mapping[Any, str] | None = None, unit: str = "") -> Figure:
    """frame: metrics with `day`; one line for each version and slice in it, one metric.

    promotions: instant -> what was promoted, shown as a dashed line. unit: of the metric, for the axis. A day without
    a value breaks the line.

    Raises
    ------
    ValueError: the frame holds several metrics.
    """
    metrics = frame["metric"].unique()
    if len(metrics) > 1:
        raise ValueError(f"one metric a picture, got {', '.join(map(str, metrics))}")
    made, axes = figure(7, 3)
    if frame["value"].notna().sum() == 0:
        empty(axes, "no metric is defined in this time")
        return made
    for i, (_, lines) in enumerate(frame.groupby(["version", "slice"], sort=False)):
        label = f"version {lines['version'].iloc[0]}"
        label = label if frame["slice"].nunique() == 1 else f"{label}, {lines['slice'].iloc[0]}"
        _line(axes, lines.sort_values("day"), label, COLOURS[i % 4], LINES[i // 4 % 4])
    _promotions(axes, promotions or {})
    axes.set_ylabel(f"{metrics[0]} [{unit}]" if unit else str(metrics[0]))
    _dates(axes)
    legend(axes, loc="best")
    return made


def _line(axes: Axes, rows: pd.DataFrame, label: str, colour: str, style: str) -> None:
    import pandas as pd

    day = pd.to_datetime(rows["day"], utc=True).dt.tz_localize(None).to_numpy()
    value, low, high = (rows[name].to_numpy(dtype=float) for name in ("value", "low", "high"))
    axes.plot(day, value, style, color=colour, label=label, linewidth=1.6, marker="o", markersize=2.5)
    axes.fill_between(day, low, high, color=colour, alpha=0.28, linewidth=0)


def _promotions(axes: Axes, promotions: Mapping[Any, str]) -> None:
    import pandas as pd

    for at, what in promotions.items():
        instant = pd.Timestamp(at)
        day: Any = (instant.tz_convert(None) if instant.tzinfo else instant).to_pydatetime()
        axes.axvline(day, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        place = ("data", "axes fraction")
        axes.annotate(what, (day, 1.0), xycoords=place, xytext=(3, -2), textcoords="offset points",
                      va="top", fontsize=8, color=INK)  # fmt: skip


def _dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.xaxis.get_offset_text().set(color=INK, fontsize=8)
    axes.set_xlabel("day (UTC)")
