"""The pages' pure parts: charts, evidence for reading, queries of URLs, and colours that everybody can tell apart."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from continual.core.estimate import Estimate
from continual.core.verdict import Answer, SliceClass, SliceFinding, Spending, Verdict
from continual.errors import ContinualError
from continual.ui import ledger
from continual.ui.addresses import Addresses, link
from continual.ui.asked import Asked
from continual.ui.charts import Mark, forest, over_days

UI = Path(ledger.__file__).parent
DAY = date(2026, 1, 1)


def _days(*values: float | None) -> list[tuple[date, Estimate]]:
    return [
        (DAY + timedelta(days=i), Estimate(v, v and v - 0.1, v and v + 0.1, 10, 9, "") if v is not None
         else Estimate.undefined(10, 0, "no labels"))
        for i, v in enumerate(values)
    ]  # fmt: skip


# --- charts ---


def test_a_day_without_a_value_breaks_the_line() -> None:
    chart = over_days(_days(0.5, 0.6, None, 0.7))
    assert chart is not None
    assert [len(line.split()) for line in chart.lines] == [2, 1]
    assert [len(band.split()) for band in chart.bands] == [4, 2]
    assert len(chart.points) == 3


def test_a_higher_value_is_higher_up_and_everything_is_inside_the_picture() -> None:
    chart = over_days(_days(0.5, 0.9, 0.1), [Mark(DAY + timedelta(days=40), "alarm", "late")])
    assert chart is not None
    half, high, low = (p.y for p in chart.points)
    assert high < half < low
    assert all(chart.left <= p.x <= chart.right and chart.top <= p.y <= chart.bottom for p in chart.points)
    assert chart.marks[0].x == chart.right


def test_nothing_defined_is_no_chart() -> None:
    assert over_days(_days(None, None)) is None
    assert over_days([]) is None


def test_one_wide_interval_does_not_flatten_the_line() -> None:
    values = _days(0.70, 0.71, 0.69)
    wide = [*values, (DAY + timedelta(days=3), Estimate(0.70, -50.0, 50.0, 2, 2, ""))]
    chart = over_days(wide)
    assert chart is not None
    ys = [p.y for p in chart.points]
    assert max(ys) - min(ys) > 0.1 * (chart.bottom - chart.top)


def test_marks_of_one_day_stand_below_each_other() -> None:
    marks = [Mark(DAY, kind, "") for kind in ("alarm", "fault", "rollback")]
    chart = over_days(_days(0.5, 0.6), marks)
    assert chart is not None
    assert sorted(p.row for p in chart.marks) == [0, 1, 2]


def test_a_forest_has_one_axis_and_leaves_out_what_is_undefined() -> None:
    first, none, lost = forest([(0.1, 0.05, 0.15), (None, None, None), (-0.1, -0.15, -0.05)], margin=0.02)
    assert none is None
    assert first is not None and lost is not None
    assert first.low > first.zero > lost.high
    assert first.margin is not None and first.margin < first.zero
    assert (first.low + lost.high, first.margin) == (100, lost.margin)


# --- evidence for reading ---


def test_evidence_is_fields_tables_and_texts() -> None:
    found = ledger.node({"gate": {"rows": [{"a": 1, "b": None}, {"a": 0.25}]}, "names": ["x", "y"], "on": True})
    gate, names, on = (node for _, node in found.fields)
    table = gate.fields[0][1]
    assert (table.kind, table.columns, table.rows) == ("table", ("a", "b"), (("1", "-"), ("0.25", "-")))
    assert (names.text, on.text) == ("x, y", "yes")


def test_long_and_deep_evidence_is_cut_and_says_so() -> None:
    assert ledger.node(list(range(1000))).more == 1000 - ledger.SHOWN
    assert len(ledger.node("x" * 10_000).text) < 2100
    deep: object = "end"
    for _ in range(50):
        deep = {"in": deep}
    assert "end" in str(ledger.node(deep))


# --- what was asked ---


@pytest.mark.parametrize(
    ("name", "value"),
    [("seq", "-1"), ("seq", "1e3"), ("seq", "٣"), ("seq", "9" * 40), ("seq", "1; drop table decision")],
)
def test_s61_a_number_is_digits_and_nothing_else(name: str, value: str) -> None:
    with pytest.raises(ContinualError, match="whole number"):
        Asked({name: value}).number(name)


def test_an_instant_without_a_zone_is_utc_and_nonsense_is_refused() -> None:
    assert Asked({"as_of": "2013-08-01"}).instant("as_of") == datetime(2013, 8, 1, tzinfo=UTC)
    assert Asked({"as_of": " "}).instant("as_of") is None
    with pytest.raises(ContinualError, match="2013-08-01"):
        Asked({"as_of": "<b>yesterday</b>"}).instant("as_of")


def test_a_choice_is_one_of_those_offered() -> None:
    assert Asked({}).one_of("sort", ("rows", "name")) == "rows"
    with pytest.raises(ContinualError, match="rows, name"):
        Asked({"sort": "random"}).one_of("sort", ("rows", "name"))


# --- addresses ---


def test_s61_parts_of_addresses_are_quoted_and_only_web_addresses_become_links() -> None:
    to = Addresses("/air", "http://mlflow:5000/")
    assert to.run("a.retrain", "manual__2026-01-01T00:00:00+00:00") == (
        "/air/dags/a.retrain/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00"
    )
    assert to.app('x"><script>') == "/air/continual/apps/x%22%3E%3Cscript%3E"
    assert to.version("a", "7") == "http://mlflow:5000/#/models/a/versions/7"
    for other in ("javascript:alert(1)//", "sqlite:///x.db", "databricks"):
        assert Addresses("", other).version("a", "7") is None
    assert link("/p", a="x&y=<", b=None, c="") == "/p?a=x%26y%3D%3C"


# --- a verdict comes back from the ledger as it went in ---


def test_a_verdict_survives_its_way_through_the_ledger() -> None:
    found = SliceFinding("a", "auc", SliceClass.HARM, -0.1, -0.2, -0.05, 0.01, 0.02, 10, 0.1, 5, "lost")
    verdict = Verdict(Answer.REJECT, "no", ("a",), {"a": 5}, (found,), Spending(0.05, 0.01, 0.02, 3, 1.5))
    assert Verdict.from_dict(verdict.as_dict()) == verdict
    assert Verdict.from_dict(Verdict(Answer.PROMOTE, "yes").as_dict()) == Verdict(Answer.PROMOTE, "yes")


# --- colours ---


def _themes() -> list[dict[str, str]]:
    text = (UI / "static" / "pages.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", text)
    return [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6,8})", block)) for block in blocks]


def _linear(colour: str) -> np.ndarray:
    part = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2: (L1 + .05) / (L2 + .05)."""
    light = sorted(float(_linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other))
    return light[1] / light[0]


def test_there_are_a_light_and_a_dark_theme_and_both_ways_to_dark_are_the_same() -> None:
    light, dark, chosen = _themes()
    assert dark == chosen
    assert set(light) == set(dark)
    assert _contrast(light["ground"], dark["ground"]) > 15


@pytest.mark.parametrize("at", [0, 1])
def test_every_text_is_readable_on_its_ground(at: int) -> None:
    theme = _themes()[at]
    steps = [f"{side}{n}" for side in "bw" for n in range(1, 5)]
    low = {step: c for step in steps if (c := _contrast(theme["on"], theme[step])) < 4.5}
    for ground in ("ground", "raised"):
        names = ("ink", "soft", "link", "good", "bad", "warn")
        low |= {f"{name} on {ground}": c for name in names if (c := _contrast(theme[name], theme[ground])) < 4.5}
    assert low == {}


#: Machado, Oliveira & Fernandes 2009, severity 1.0: protanopia, deuteranopia, tritanopia.
BLIND = [
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
]


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("kind", range(3))
def test_better_and_worse_are_told_apart_with_any_colour_blindness(at: int, kind: int) -> None:
    theme = _themes()[at]
    seen = {n: _lab(np.array(BLIND[kind]) @ _linear(theme[n])) for n in theme if n[0] in "bw" and n[1:].isdigit()}
    between = {
        (a, b): float(np.linalg.norm(seen[a] - seen[b]))
        for a, b in combinations(seen, 2)
        if a[0] != b[0] and a[1:] == b[1:] and a[1:] != "1"  # the first step claims nothing
    }
    assert min(between.values()) > 15, between


def test_the_style_sheet_fetches_nothing_and_the_templates_hold_nothing_inline() -> None:
    css = (UI / "static" / "pages.css").read_text(encoding="utf-8")
    assert "url(" not in css and "@import" not in css
    for path in (UI / "templates").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:|\|\s*safe", text), path.name
        assert "autoescape" not in text, path.name
        assert re.findall(r"<script[^>]*>", text) in ([], ["<script src=\"{{ to.static('pages.js') }}\" defer>"])
