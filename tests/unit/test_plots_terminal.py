"""The terminal's pictures: sparklines, bars, intervals and coloured cells, character by character."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from test_plots import HEAT, NAN, _over_time, bins, columns, comparisons, curves

from continual.core.label_lag import lag_curve
from continual.plots import terminal
from continual.plots.strokes import bar, interval, sparkline

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


def _shown(table, colour=False):
    out = StringIO()
    Console(file=out, width=160, force_terminal=colour, color_system="truecolor" if colour else None).print(table)
    return out.getvalue()


def _line(text, name):
    return next(line for line in text.splitlines() if line.startswith(name))


def test_strokes():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, NAN, 1]) == "▅·▅"
    assert sparkline([]) == ""
    assert sparkline([NAN, NAN]) == "··"
    assert sparkline([0.5, 2.0, -3.0], 0, 1) == "▅█▁"
    assert sparkline([*[0.0] * 10, *[NAN] * 10, *[1.0] * 10], width=3) == "▁·█"
    assert [bar(v, 2, 4) for v in (0, 1, 2, 9, NAN, 0.25)] == ["", "██", "████", "████", "", "▌"]
    assert bar(1, 0) == ""
    assert interval(-1, 0.5, 1, (-2, 2), {0.0: "│", -1.5: "┊"}, 9) == " ┊──┼●─  "
    assert interval(NAN, NAN, NAN, (-1, 1), {0.0: "│"}, 5) == "  │  "
    assert interval(-9, -8, 9, (-1, 1), {}, 3) == "●──"  # cut at the ends


def test_a_metric_over_time_is_a_sparkline_on_one_scale():
    text = _shown(terminal.metric_over_time(pd.concat([_over_time("6", gap=True), _over_time("7").assign(value=0.75)])))
    assert "▁▂▄·▇█" in _line(text, "6 ")
    assert "██████" in _line(text, "7 ")
    assert _line(text, "6 ").split()[-3:] == ["0.700", "0.750", "0.750"]


def test_the_heat_map_colours_best_and_worst_and_names_the_undefined():
    table = terminal.slice_heatmap(HEAT, {"brier"}, limit=3)
    text = _shown(table)
    assert [line.split()[0] for line in text.splitlines()[2:5]] == ["overall", "large", "small"]
    assert "0.800 0.790 .. 0.810" in _line(text, "large")
    assert "smaller slices not shown: 1" in text
    cells = list(table.columns[2].cells)
    assert [cell.style.split(" on ")[1] for cell in cells] == ["#7d7c78", "#fee838", "#00224e"]
    losses = [cell.style.split(" on ")[1] for cell in table.columns[3].cells]
    assert losses == ["#7d7c78", "#00224e", "#fee838"]
    assert "undefined" in _line(_shown(terminal.slice_heatmap(HEAT)), "unknown")
    assert "\x1b[" in _shown(table, colour=True)


def test_the_forest_shows_harm_and_what_could_not_be_told():
    table = terminal.forest(comparisons(), width=21)
    text = _shown(table)
    broken = _line(text, "broken")
    assert "-0.200" in broken
    assert broken.index("●") < broken.index("│")
    assert "undefined" in _line(text, "empty")
    assert [cell.style for cell in table.columns[4].cells] == ["green", "red", "blue", "blue"]


def test_label_lag_calibration_and_drift():
    text = _shown(terminal.label_lag(curves(), width=4))
    assert _line(text, "overall").split() == ["overall", "200", "173", "3.0", "d", "4.0", "d", "9.6%", "▂▄▆█"]
    few = lag_curve(*(np.array(x, "M8[us]") for x in (["2026-02-20"] * 3, ["2026-02-21", "NaT", "NaT"])), AS_OF)
    text = _shown(terminal.label_lag({"few": few, "young": curves()["few"]}, width=4))
    assert _line(text, "few").split() == ["few", "3", "1", "never", "never", "66.7%", "▃▃▃▃"]
    calibrated = terminal.calibration(bins())
    assert [str(cell) for cell in calibrated.columns[0].cells] == ["0.100", "0.500", "0.900"]
    assert {cell.style for cell in calibrated.columns[3].cells} == {"blue"}
    off = terminal.calibration(bins().assign(score=lambda f: f["score"] + 0.06))
    assert {cell.style for cell in off.columns[3].cells} == {"red"}
    drifted = terminal.drift(columns(), "psi", width=8)
    assert [str(cell) for cell in drifted.columns[0].cells] == ["moved", "wide", "calm", "text"]
    assert [str(cell) for cell in drifted.columns[4].cells] == ["████████", "██", "▍", ""]
    assert [cell.style for cell in drifted.columns[4].cells][:2] == ["red", "blue"]


def test_s61_a_slice_name_is_text_and_never_markup():
    frame = HEAT.replace({"slice": {"large": "[red]x[/red][link=file:///etc/passwd]y[/link]"}})
    assert "[red]x[/red][link=file:///etc/passwd]y[/link]" in _shown(terminal.slice_heatmap(frame))
    over = _over_time(slice_="[bold]b[/bold]")
    assert "[bold]b[/bold]" in _shown(terminal.metric_over_time(over))


def test_frames_without_rows_are_tables_without_rows():
    empty = [
        terminal.metric_over_time(_over_time().head(0)),
        terminal.forest(comparisons().head(0)),
        terminal.label_lag({}),
        terminal.calibration(bins().head(0)),
        terminal.drift(columns().head(0), "psi"),
        terminal.slice_heatmap(HEAT.head(0)),
    ]
    assert [table.row_count for table in empty] == [0] * 6
    assert all(len(_shown(table).splitlines()) == 2 for table in empty)


@pytest.mark.parametrize(("seconds", "words"), [(5, "5 s"), (90, "1.5 min"), (7200, "2.0 h"), (129600, "1.5 d")])
def test_times_are_said_in_their_unit(seconds, words):
    assert terminal._duration(timedelta(seconds=seconds)) == words
