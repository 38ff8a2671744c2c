"""Pictures show what the frames say: the lines, bands, cells and colours are looked up, not only drawn."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color, to_rgb
from matplotlib.image import imread

from continual.core.label_lag import lag_curve
from continual.plots import style
from continual.plots.calibration import calibration
from continual.plots.drift import drift
from continual.plots.forest import forest
from continual.plots.frontier import frontier
from continual.plots.label_lag import label_lag
from continual.plots.metric_over_time import metric_over_time
from continual.plots.policy_lines import policy_lines
from continual.plots.returns import returns
from continual.plots.slice_heatmap import slice_heatmap

NAN = float("nan")
DAYS = pd.date_range("2026-01-01", periods=6, tz="UTC")


def _over_time(version="7", slice_="overall", gap=False):
    value = np.linspace(0.7, 0.75, 6)
    value[3] = NAN if gap else value[3]
    return pd.DataFrame({"version": version, "slice": slice_, "metric": "roc_auc", "day": DAYS, "value": value,
                         "low": value - 0.02, "high": value + 0.02, "n": 100})  # fmt: skip


def metrics(**slices):
    """slice -> (n, {metric: value})."""
    rows = [
        {"version": "7", "slice": name, "metric": metric, "value": v, "low": v - 0.01, "high": v + 0.01, "n": n}
        for name, (n, values) in slices.items()
        for metric, v in values.items()
    ]
    return pd.DataFrame(rows)


HEAT = metrics(
    small=(10, {"roc_auc": 0.6, "brier": 0.1}),
    large=(900, {"roc_auc": 0.8, "brier": 0.3}),
    unknown=(5, {"roc_auc": NAN, "brier": 0.2}),
    overall=(1000, {"roc_auc": 0.7, "brier": 0.2}),
)


def comparisons():
    columns = ["slice", "metric", "gain", "low", "high", "p_harm", "n", "margin"]
    rows = [
        ("broken", "roc_auc", -0.2, -0.25, -0.15, 1e-9, 60, 0.02),
        ("overall", "roc_auc", 0.01, 0.005, 0.015, 0.99, 1000, 0.01),
        ("open", "roc_auc", 0.0, -0.05, 0.05, 0.5, 50, 0.02),
        ("empty", "roc_auc", NAN, NAN, NAN, NAN, 2, 0.02),
    ]
    return pd.DataFrame(rows, columns=columns)


def curves():
    now = np.datetime64("2026-03-01T00:00:00", "us")
    event = now - np.arange(1, 201) * np.timedelta64(6, "h")
    known = event + np.tile([1, 2, 3, 4], 50) * np.timedelta64(1, "D")
    known[::10] = np.datetime64("NaT")
    as_of = datetime(2026, 3, 1, tzinfo=UTC)
    return {"overall": lag_curve(event, known, as_of), "few": lag_curve(event[:30], known[:30], as_of)}


def bins():
    score, n = np.array([0.9, 0.1, 0.5, 0.3]), [50, 100, 70, 0]
    return pd.DataFrame({"score": score, "rate": score, "low": score - 0.05, "high": score + 0.05, "n": n})


def columns():
    value = [0.02, 0.4, NAN, 0.1]
    low = [0.0, 0.3, NAN, 0.0]
    return pd.DataFrame({"column": ["calm", "moved", "text", "wide"], "value": value, "low": low,
                         "high": np.array(value) + 0.1, "expected": [0.03, 0.03, NAN, 0.03]})  # fmt: skip


def _by_gid(axes, gid):
    return [line for line in axes.get_lines() if line.get_gid() == gid]


def _texts(axes):
    return [text.get_text() for text in axes.texts]


def retrains():
    """One whose gain came, one that is still measured, one that was turned down."""
    numbers = {"gain": [12.0, NAN, NAN], "gain_low": [5.0, NAN, NAN], "gain_high": [19.0, NAN, NAN]}
    told = {"forecast": [10.0, 8.0, 3.0], "forecast_low": [4.0, 2.0, 0.0], "forecast_high": [16.0, 14.0, 6.0]}
    rest = {"cost": [2.0, 2.0, 2.0], "outcome": ["promoted", "promoted", "reject"], "as_of": DAYS[:3]}
    return pd.DataFrame({**numbers, **told, **rest})


PICTURES = {
    "metric_over_time": lambda: metric_over_time(_over_time(gap=True), {DAYS[2]: "7 promoted"}),
    "slice_heatmap": lambda: slice_heatmap(HEAT),
    "forest": lambda: forest(comparisons()),
    "label_lag": lambda: label_lag(curves(), timedelta(days=3)),
    "calibration": lambda: calibration(bins()),
    "drift": lambda: drift(columns(), "psi"),
    "frontier": lambda: frontier({"a": (1, 0.7), "b": (2, 0.8), "c": (3, 0.75), "d": (4, None)}, "roc_auc", "CPU s"),
    "returns": lambda: returns(retrains(), "EUR"),
    "policy_lines": lambda: policy_lines({"a": [0.7, None, 0.8], "b": [None] * 3}, [1, 2, 3], "roc_auc", "batch"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_renders_on_a_transparent_ground_without_a_title_and_with_units_on_its_axes(name):
    made, buffer = PICTURES[name](), BytesIO()
    made.savefig(buffer, format="png")
    image = imread(BytesIO(buffer.getvalue()))
    assert image[0, 0, 3] == 0
    assert (image[..., 3] > 0.5).mean() > 0.005
    axes = made.axes[-1]
    assert axes.get_xlabel()
    assert all(not each.get_title() for each in made.axes)


def test_the_pictures_are_all_here():
    folder = Path(style.__file__).parent
    assert set(PICTURES) == {p.stem for p in folder.glob("*.py")} - {"__init__", "style", "strokes", "terminal"}
    for path in folder.glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        roots = {a.name.split(".")[0] for node in body if isinstance(node, ast.Import) for a in node.names}
        assert not roots & {"matplotlib", "pandas", "rich"}, path


def _contrast(a, b):
    def light(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    bright, dark = sorted((light(a), light(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_ink_and_colours_read_on_white_and_on_black():
    for ground in ("white", "black"):
        assert _contrast(style.INK, ground) >= 4.5
        assert min(_contrast(colour, ground) for colour in style.COLOURS) >= 3


def test_a_metric_over_time_has_a_line_a_band_and_its_promotions():
    frame = pd.concat([_over_time("6", gap=True), _over_time("7")]).sample(frac=1, random_state=1)
    axes = metric_over_time(frame, {DAYS[2]: "7 promoted"}, unit="AUC").axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert np.allclose(lines["version 7"].get_ydata(), np.linspace(0.7, 0.75, 6))  # put in order
    assert np.isnan(lines["version 6"].get_ydata()).tolist() == [False, False, False, True, False, False]
    band = axes.collections[-1].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.68, 0.77))
    assert "7 promoted" in _texts(axes)
    promoted = next(line for name, line in lines.items() if name.startswith("_"))
    assert pd.Timestamp(promoted.get_xdata()[0]) == DAYS[2].tz_localize(None)
    assert axes.get_ylabel() == "roc_auc [AUC]"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["version 6", "version 7"]
    with pytest.raises(ValueError, match="one metric a picture"):
        metric_over_time(pd.concat([frame, frame.assign(metric="brier")]))


def test_the_heat_map_sorts_by_rows_turns_losses_and_greys_the_undefined():
    made = slice_heatmap(HEAT, lower_is_better={"brier"})
    axes = made.axes[0]
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert names == ["overall  n=1,000", "large  n=900", "small  n=10", "unknown  n=5"]
    shown = axes.images[0].get_array()
    assert shown.filled(-1) == pytest.approx(np.array([[0.5, 0.5], [1, 0], [0, 1], [-1, 0.5]]))
    assert same_color(axes.images[0].cmap.get_bad(), style.FAINT)
    assert _texts(axes).count("undefined") == 1
    assert "0.800" in _texts(axes)
    assert "0.790 .. 0.810" in _texts(axes)
    cut = slice_heatmap(HEAT, limit=2).axes[0]
    assert len(cut.get_yticks()) == 2
    assert "not shown: 2" in cut.get_xlabel()
    with pytest.raises(ValueError, match="comes twice"):
        slice_heatmap(pd.concat([HEAT, HEAT]))


def test_one_slice_is_neither_best_nor_worst():
    axes = slice_heatmap(HEAT[HEAT["slice"] == "overall"]).axes[0]
    assert axes.images[0].get_array().tolist() == [[0.5, 0.5]]


def test_the_forest_colours_harm_and_gain_and_draws_the_harm_line_of_each_slice():
    axes = forest(comparisons()).axes[0]
    assert [t.get_text().split()[0] for t in axes.get_yticklabels()] == ["overall", "broken", "open", "empty"]
    intervals = _by_gid(axes, "interval")
    assert [line.get_color() for line in intervals] == [style.GREEN, style.RED, style.BLUE]
    assert [tuple(line.get_xdata()) for line in intervals] == [(0.005, 0.015), (-0.25, -0.15), (-0.05, 0.05)]
    assert [line.get_xdata()[0] for line in _by_gid(axes, "gain")] == [0.01, -0.2, 0.0]
    assert [line.get_xdata()[0] for line in _by_gid(axes, "harm")] == [-0.01, -0.02, -0.02, -0.02]
    assert "undefined" in _texts(axes)
    assert "-0.200" in _texts(axes)
    bottom, top = axes.get_ylim()
    assert bottom > top  # the first row is on top
    with pytest.raises(ValueError, match="one metric and each slice once"):
        forest(pd.concat([comparisons(), comparisons()]))


def test_the_label_lag_curve_ends_where_nobody_was_followed():
    found = curves()
    axes = label_lag(found, timedelta(days=3)).axes[0]
    assert axes.get_xlabel() == "time since the event [days]"
    lines = {line.get_label().split(",")[0]: line for line in axes.get_lines()}
    x, y = lines["overall"].get_data()
    assert (x[0], y[0]) == (0, 0)
    assert x[-1] == pytest.approx(found["overall"].longest_wait / 86400)
    assert y[-1] == pytest.approx(1 - found["overall"].plateau)
    assert lines["few"].get_xdata()[-1] < x[-1]
    assert "label lag" in _texts(axes)
    assert len(axes.collections) == 2  # the bands
    none = label_lag(
        {"new": lag_curve(np.array([], "M8[us]"), np.array([], "M8[us]"), datetime(2026, 3, 1, tzinfo=UTC))}
    )
    assert _texts(none.axes[0]) == ["no label has come yet"]


def test_calibration_sorts_its_bins_leaves_out_empty_ones_and_shows_where_rows_are():
    made = calibration(bins())
    axes, below = made.axes
    assert list(_by_gid(axes, "observed")[0].get_xdata()) == [0.1, 0.5, 0.9]
    assert tuple(axes.collections[0].get_segments()[0][:, 1]) == pytest.approx((0.05, 0.15))
    assert _by_gid(axes, "ideal")[0].get_xydata().tolist() == [[0, 0], [1, 1]]
    assert [bar.get_height() for bar in below.patches] == [100, 70, 50]


def test_drift_bars_say_what_moved_beside_what_chance_gives():
    axes = drift(columns(), "earth mover", unit="minutes").axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["moved", "wide", "calm"]
    colours = {bar.get_width(): bar.get_facecolor() for bar in axes.patches}
    assert same_color(colours[0.4][:3], style.RED)
    assert all(same_color(colours[v][:3], style.BLUE) for v in (0.1, 0.02))
    assert axes.get_xlabel() == "earth mover [minutes], 95% interval; 1 undefined"
    ticks = axes.collections[1].get_segments()
    assert [seg[0][0] for seg in ticks] == [0.03] * 3


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (lambda: metric_over_time(_over_time().assign(value=NAN)), "no metric is defined in this time"),
        (lambda: slice_heatmap(HEAT.head(0)), "no slice was measured"),
        (lambda: forest(comparisons().head(0)), "no slice was compared"),
        (lambda: calibration(bins().assign(n=0)), "no labelled row"),
        (lambda: drift(columns().assign(value=NAN), "psi"), "no column could be compared"),
    ],
)
def test_nothing_to_show_says_so(picture, words):
    made = picture()
    assert _texts(made.axes[0]) == [words]
    made.savefig(BytesIO(), format="png")


def test_numbers_are_short_and_0_has_no_sign():
    shown = [style.number(v) for v in (0.12345, -0.0001, 0.0, 12345.6, NAN, None, -0.0004999)]
    assert shown == ["0.123", "-0.0001", "0.000", "1.23e+04", "undefined", "undefined", "-0.0005"]
