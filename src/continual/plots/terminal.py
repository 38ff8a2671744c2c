"""The same pictures for a terminal: rich tables with sparklines, bars and coloured cells.

Frames as in the pictures. What comes from data is shown as it is, never read as markup.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.label_lag import LagCurve
from continual.plots.slice_heatmap import by_support, ranked
from continual.plots.strokes import bar, interval, sparkline
from continual.plots.style import number

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table
    from rich.text import Text

#: From worst to best: ground and ink, cividis in five steps.
CELLS = (("#00224e", "white"), ("#434e6c", "white"), ("#7d7c78", "white"), ("#bcae6c", "black"), ("#fee838", "black"))
#: (The whole interval on the bad side, on the good side, neither.)
BAD, GOOD, OPEN = "red", "green", "blue"


def metric_over_time(frame: pd.DataFrame, width: int = 40) -> Table:
    """frame: metrics with `day`: a row a version, slice and metric, on one scale a metric."""
    table = _table("version", "slice", "metric", "over time", "lowest", "highest", "last", words=(0, 1, 2, 3))
    spans = frame.groupby("metric")["value"].agg(["min", "max"])
    for names, rows in frame.groupby(["version", "slice", "metric"], sort=False):
        values = rows.sort_values("day")["value"].to_numpy(dtype=float)
        low, high = (float(x) for x in spans.loc[rows["metric"].iloc[0]])
        seen = values[np.isfinite(values)]
        ends = [number(float(x)) for x in (seen.min(), seen.max())] if len(seen) else [number(None)] * 2
        line = sparkline(list(values), low, high, width)
        _row(table, *map(str, _tuple(names)), line, *ends, number(float(values[-1])))
    return table


def slice_heatmap(frame: pd.DataFrame, lower_is_better: Collection[str] = (), limit: int = 40) -> Table:
    """frame: metrics of one version: a row a slice, a cell a metric, dark = worst slice of the metric, light = best.

    Raises
    ------
    ValueError: a slice and metric comes twice.
    """
    if frame.duplicated(["slice", "metric"]).any():
        raise ValueError("a heat map shows one version in one window: a slice and metric comes twice")
    order, left_out = by_support(frame, limit)
    metrics = list(dict.fromkeys(frame["metric"]))
    table = _table("slice", "rows", *metrics, words=(0,))
    grid = {c: frame.pivot(index="slice", columns="metric", values=c) for c in ("value", "low", "high")}
    value, low, high = (grid[c].reindex(index=order, columns=metrics).to_numpy(dtype=float) for c in grid)
    place = ranked(value, [name in lower_is_better for name in metrics])
    n = frame.groupby("slice")["n"].max()
    for i, name in enumerate(order):
        cells = [_cell(float(place[i, j]), value[i, j], low[i, j], high[i, j]) for j in range(len(metrics))]
        _row(table, name, f"{int(n[name]):,}", *cells)
    table.caption = f"smaller slices not shown: {left_out:,}" if left_out else None
    return table


def _cell(place: float, value: float, low: float, high: float) -> Text:
    from rich.text import Text

    if not math.isfinite(value):
        return Text(number(None), style="dim")
    ground, ink = CELLS[min(int(place * len(CELLS)), len(CELLS) - 1)]
    between = f" {number(float(low))} .. {number(float(high))}" if math.isfinite(low) else ""
    return Text(f" {number(float(value))}{between} ", style=f"{ink} on {ground}")


def forest(frame: pd.DataFrame, limit: int = 40, width: int = 41) -> Table:
    """frame: comparisons of one metric, a row a slice: `│` is 0, `┊` the harm line -margin."""
    order, left_out = by_support(frame, limit)
    table = _table("slice", "rows", "gain", "95% interval", "candidate worse | better", words=(0, 4))
    rows = frame.set_index("slice").loc[order]
    spread = rows[["low", "high"]].to_numpy(dtype=float)
    reach = max(float(np.nanmax(np.abs(spread), initial=0.0)), float(rows["margin"].max() or 0.0)) or 1.0
    for name, row in rows.iterrows():
        gain, low, high, margin = (float(row[c]) for c in ("gain", "low", "high", "margin"))
        line = interval(low, gain, high, (-reach, reach), {-margin: "┊", 0.0: "│"}, width)
        style = BAD if high < 0 else GOOD if low > 0 else OPEN
        known = math.isfinite(gain)
        between = f"{number(low)} .. {number(high)}" if known else ""
        _row(
            table, name, f"{int(row['n']):,}", f"{gain:+.3f}" if known else number(None), between, _styled(line, style)
        )
    table.caption = f"smaller slices not shown: {left_out:,}" if left_out else None
    return table


def label_lag(curves: Mapping[str, LagCurve], width: int = 30) -> Table:
    """Rows, labels, times until half and nine tenths of the labels are there, what never came, and the curve."""
    table = _table("slice", "rows", "labelled", "half after", "90% after", "not come", "share by time", words=(0, 6))
    longest = max((float(c.lag[-1]) for c in curves.values() if len(c.lag)), default=0.0)
    for name, curve in curves.items():
        shares = [curve.within(timedelta(seconds=longest * (i + 1) / width)) for i in range(width)]
        line = sparkline([math.nan if s is None else s for s in shares], 0.0, 1.0, width)
        plateau = "-" if curve.plateau is None else f"{curve.plateau:.1%}"
        times = [_duration(curve.quantile(p)) for p in (0.5, 0.9)]
        _row(table, name, f"{curve.n:,}", f"{curve.n_labelled:,}", *times, plateau, line)
    table.caption = f"to {_duration(timedelta(seconds=longest))}; · = nobody was followed so long" if longest else None
    return table


def _duration(time: timedelta | None) -> str:
    if time is None:
        return "never"
    seconds = time.total_seconds()
    units = (("d", 86_400), ("h", 3_600), ("min", 60))
    return next((f"{seconds / size:.1f} {unit}" for unit, size in units if seconds >= size), f"{seconds:.0f} s")


def calibration(frame: pd.DataFrame, width: int = 30) -> Table:
    """frame: a row a score bin (score, rate, low, high, n): `│` is the prediction, the line what came true."""
    table = _table("predicted", "came true", "rows", "0 .. 1", words=(3,))
    for _, row in frame[frame["n"] > 0].sort_values("score").iterrows():
        score, rate, low, high = (float(row[c]) for c in ("score", "rate", "low", "high"))
        style = OPEN if low <= score <= high else BAD
        line = interval(low, rate, high, (0.0, 1.0), {score: "│"}, width)
        _row(table, number(score), number(rate), f"{int(row['n']):,}", _styled(line, style))
    return table


def drift(frame: pd.DataFrame, distance: str, width: int = 24) -> Table:
    """frame: a row a column (column, value, low, high, expected), the furthest first, the undefined last."""
    table = _table("column", distance, "95% interval", "without change", "", words=(0, 4))
    rows = frame.sort_values("value", ascending=False, na_position="last")
    full = float(rows["value"].max()) if rows["value"].notna().any() else 0.0
    for _, row in rows.iterrows():
        value, low, high, expected = (float(row[c]) for c in ("value", "low", "high", "expected"))
        style = BAD if low > expected else OPEN
        known = math.isfinite(value)
        between = f"{number(low)} .. {number(high)}" if known else ""
        chance = number(expected) if known else ""
        _row(table, str(row["column"]), number(value), between, chance, _styled(bar(value, full, width), style))
    return table


def _tuple(names: Any) -> tuple[Any, ...]:
    return tuple(names)


def _styled(line: str, style: str) -> Text:
    from rich.text import Text

    return Text(line, style=style)


def _table(*columns: str, words: Collection[int]) -> Table:
    """words: the columns that hold words or lines; the others are numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for i, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if i in words else "right", no_wrap=True)
    return table


def _row(table: Table, *cells: Any) -> None:
    from rich.text import Text

    table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells))
