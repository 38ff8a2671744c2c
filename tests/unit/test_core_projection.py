"""The value language of projections against SQLite, against hostile text, and as columns of a frame."""

from __future__ import annotations

import sqlite3
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from continual.core.expression import Kind, mask
from continual.core.projection import Projection, kinds_with, order, with_projections
from continual.core.projection_values import MAX_TEXT
from continual.core.slices import SliceSpec, masks, resolve
from continual.errors import SliceError

FUNCTIONS = ["ABS", "FLOOR", "CEIL", "ROUND", "SQRT", "LN"]
WORDS = ("", "a", "UA", "it's", "x y", "10")
number = st.one_of(st.sampled_from("abx"), st.sampled_from(["0", "1", "2.5", "NULL"]))
text = st.one_of(st.sampled_from("st"), st.sampled_from(["'a'", "'UA'", "''", "NULL"]))


def _numbers(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"COALESCE({t[0]}, {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"CASE WHEN {t[0]} >= {t[1]} THEN {t[2]} END"),
        st.tuples(inner, inner).map(lambda t: f"CASE WHEN {t[0]} IS NULL THEN {t[1]} ELSE a END"),
    )  # fmt: skip


def _texts(inner):
    return st.one_of(
        st.tuples(inner, inner).map(lambda t: f"({t[0]} || {t[1]})"),
        st.tuples(st.sampled_from(["LOWER", "UPPER"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"COALESCE({t[0]}, {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"CASE WHEN {t[0]} = {t[1]} THEN {t[2]} ELSE s END"),
    )


values = st.one_of(st.recursive(number, _numbers, max_leaves=5), st.recursive(text, _texts, max_leaves=5))


def _cells(cells):
    return st.lists(st.one_of(st.none(), cells), min_size=5, max_size=5)


frames = st.fixed_dictionaries(
    {c: _cells(st.sampled_from([-2.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.5, 9.0])) for c in "abx"}
    | {c: _cells(st.sampled_from(WORDS)) for c in "st"}
)


def _frame(columns):
    kinds = {"a": "float64", "b": "Float64", "s": "string"}
    return pd.DataFrame({c: pd.Series(v, dtype=kinds.get(c, object)) for c, v in columns.items()})


def _sqlite(expression, columns):
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE r (n INT, a REAL, b REAL, x REAL, s TEXT, t TEXT)")
        db.executemany(
            "INSERT INTO r VALUES (?, ?, ?, ?, ?, ?)", [(i, *(columns[c][i] for c in "abxst")) for i in range(5)]
        )
        return [v for (v,) in db.execute(f"SELECT {expression} FROM r ORDER BY n")]


def _same(ours, theirs):
    if theirs is None or ours is None or ours != ours:
        return theirs is None and (ours is None or ours != ours)
    return ours == theirs if isinstance(theirs, str) else ours == pytest.approx(theirs, rel=1e-12)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(values, frames)
def test_same_values_as_sqlite_on_data_with_nulls(expression, columns):
    # SQLite divides whole constants as integers: ours divides as numbers
    expected = _sqlite(
        expression.replace("0", "0.0").replace("1", "1.0") if "s" not in expression else expression, columns
    )
    ours = Projection(expression).evaluate(_frame(columns))
    assert all(_same(o, t) for o, t in zip(ours, expected, strict=True)), (list(ours), expected)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(values, frames)
def test_a_row_has_the_same_value_alone_and_among_others(expression, columns):
    frame, projection = _frame(columns), Projection(expression)
    together = list(projection.evaluate(frame))
    alone = [projection.evaluate(frame.iloc[[i]])[0] for i in range(5)]
    assert all(_same(o, None if t != t else t) for o, t in zip(together, alone, strict=True))


FRAME = pd.DataFrame(
    {
        "origin": ["JFK", None, "EWR"],
        "dest": ["LAX", "BOS", "MIA"],
        "distance": [2475.0, np.nan, 1085.0],
        "minute": [119, 60, 0],
        "event_time": pd.to_datetime(["2013-01-06T23:30Z", "2013-12-02T01:00Z", None]),
    }
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("origin || '-' || dest", ["JFK-LAX", None, "EWR-MIA"]),
        ("distance >= 1500", [True, pd.NA, False]),
        ("NOT distance >= 1500 AND minute < 1", [False, False, True]),
        ("FLOOR(minute / 60)", [1, 1, 0]),
        ("minute % 60", [59, 0, 0]),
        ("minute / 0", [None] * 3),
        ("minute % 0", [None] * 3),
        ("LN(minute - 60)", [np.log(59), None, None]),
        ("SQRT(0 - minute)", [None, None, 0]),
        ("1e308 * minute", [None, None, 0]),
        ("ROUND(minute / 8, 1)", [14.9, 7.5, 0]),
        ("ROUND(-2.5) + ROUND(2.5) + ROUND(0.4)", [0, 0, 0]),
        ("CAST(minute AS TEXT) || 'm'", ["119m", "60m", "0m"]),
        ("CAST(minute / 8 AS VARCHAR)", ["14.875", "7.5", "0"]),
        ("CAST(CASE WHEN minute = 60 THEN '1e2' ELSE 'inf' END AS DOUBLE)", [None, 100, None]),
        ("CAST(minute = 60 AS TEXT)", ["false", "true", "false"]),
        ("CASE WHEN distance > 2000 THEN 'far' WHEN minute < 1 THEN 'dawn' END", ["far", None, "dawn"]),
        ("COALESCE(LOWER(origin), 'none')", ["jfk", "none", "ewr"]),
        ("EXTRACT(hour FROM event_time)", [23, 1, None]),
        ("EXTRACT(dow FROM event_time)", [0, 1, None]),  # Sunday = 0
        ("EXTRACT(month FROM event_time)", [1, 12, None]),
        ("minute IN (60, 0) AND origin IS NULL", [False, True, False]),
        ("COALESCE(origin = 'JFK', FALSE)", [True, False, False]),
        ("NULL", [None] * 3),
    ],
)  # fmt: skip
def test_values(expression, expected):
    found = Projection(expression).evaluate(FRAME)
    assert [None if pd.isna(v) else v for v in found] == pytest.approx([None if pd.isna(v) else v for v in expected])


def test_instants_are_read_in_utc():
    local = FRAME.assign(event_time=FRAME["event_time"].dt.tz_convert("America/New_York"))
    for part in ("hour", "dow", "month"):
        projection = Projection(f"EXTRACT({part} FROM event_time)")
        np.testing.assert_array_equal(projection.evaluate(local), projection.evaluate(FRAME))


HOSTILE = {
    "subquery": "(SELECT password FROM users)",
    "statement": "a; DROP TABLE predictions",
    "unknown function": "LOAD_FILE('/etc/passwd')",
    "python": "__import__('os').system('id')",
    "attribute": "a.__class__",
    "repeat": "REPEAT('x', 1000000000)",
    "padding": "LPAD('x', 1000000000, 'y')",
    "range": "GENERATE_SERIES(1, 1000000000)",
    "power": "POWER(10, 1000000000)",
    "power operator": "10 ** 10 ** 10",
    "like": "a LIKE '%x%'",
    "regular expression": "REGEXP_LIKE(a, '(a+)+$')",
    "cast to a date": "CAST('2013-01-01' AS DATE)",
    "cast with a length": "CAST(a AS VARCHAR(5))",
    "cast to an array": "CAST(a AS ARRAY<INT>)",
    "cast with a format": "CAST(a AS TEXT FORMAT 'x')",
    "simple case": "CASE a WHEN 1 THEN 2 END",
    "mixed case": "CASE WHEN a = 1 THEN 'x' ELSE 2 END",
    "value as condition": "CASE WHEN 1 THEN 2 END",
    "number joined": "1 || 'x'",
    "round by a column": "ROUND(1.5, a)",
    "round by much": "ROUND(1.5, 300)",
    "year": "EXTRACT(year FROM event_time)",
    "extract from text": "EXTRACT(hour FROM 'x')",
    "interval": "event_time + INTERVAL '1' DAY",
    "window": "SUM(a) OVER (ORDER BY b)",
    "aggregate": "MAX(a)",
    "now": "CURRENT_TIMESTAMP",
    "random": "RANDOM()",
    "comment": "a -- b",
    "alias": "a AS b",
    "floor with a unit": "FLOOR(a TO DAY)",
    "log of a base": "LOG(2, a)",
    "template": "{{ a }}",
    "empty": " ",
    "null byte": "a\x00",
    "long": "a + " * 300 + "a",
    "deep": "ABS(" * 100 + "a" + ")" * 100,
    "deep open": "CASE WHEN " * 90,
    "deep case": "CASE WHEN a THEN " * 50 + "1" + " END" * 50,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_s61_hostile_projection_is_refused_when_read(hostile):
    TypeAdapter(Projection).validate_python("a")
    before = time.process_time()
    with pytest.raises(ValidationError, match="A projection must compute a value"):
        TypeAdapter(Projection).validate_python(hostile)
    assert time.process_time() - before < 0.5


# fmt: off
PIECES = [
    "a", "s", "event_time", "1", "'x'", "(", ")", "||", "+", "/", "%", ",", "CASE", "WHEN", "THEN", "ELSE", "END",
    "NOT", "COALESCE(", "UPPER(", "CAST(", "AS TEXT)", "AS DOUBLE)", "EXTRACT(hour FROM", "ROUND(", "LN(", "=", "<",
    "AND", "IS", "IN (", "BETWEEN", "NULL", "TRUE", "-", ".", "::", "[", "]", "{", ";", "--", "SELECT", "*", '"', "'",
]
# fmt: on


@settings(max_examples=120, deadline=2000, derandomize=True)
@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join), st.text(max_size=60)))
def test_s61_any_text_ends_in_a_value_or_a_refusal(expression):
    frame = pd.DataFrame(
        {"a": [1.0, np.nan], "s": ["x" * 1000, None], "event_time": pd.to_datetime(["2013-01-01T00:00Z", None])}
    )
    try:
        found = Projection(expression).evaluate(frame)
    except (SliceError, ValidationError):
        return
    assert len(found) == 2


def test_s61_text_stays_short_however_often_it_is_joined():
    frame = pd.DataFrame({"s": ["ß" * 10_000, None]})
    for expression in (" || ".join(["s"] * 30), "UPPER(UPPER(s || s) || s)"):
        assert [len(v) if v else v for v in Projection(expression).evaluate(frame)] == [MAX_TEXT, None]


def test_the_error_says_where():
    with pytest.raises(ValidationError, match=r"Anonymous is not allowed near character 8 in"):
        Projection("dest + SLEEP(9)")
    with pytest.raises(ValidationError, match=r"Line 1, Col: 7"):
        Projection("(dest + ")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("gone + 1", "unknown column 'gone'"),
        ("origin + 1", "arithmetic on text"),
        ("distance || 'x'", "CAST"),
        ("LOWER(distance)", "LOWER takes text"),
        ("event_time", "is an instant"),
        ("event_time > '2013'", "is an instant"),
        ("EXTRACT(hour FROM distance)", "holds no instants"),
        ("COALESCE(origin, distance)", "one kind, got number and text"),
        ("CASE WHEN origin THEN 1 END", "text is no condition"),
    ],
)
def test_what_the_data_or_its_declared_kind_reveals_is_named(expression, words):
    with pytest.raises(SliceError, match=words):
        Projection(expression).evaluate(FRAME)
    kinds = {"origin": Kind.TEXT, "distance": Kind.NUMBER, "event_time": Kind.TIME}
    if "gone" not in expression:
        with pytest.raises(SliceError, match=words):
            Projection(expression).kind(kinds)


ROUTES = {
    "name": Projection("'route ' || route"),
    "route": Projection("origin || '-' || dest"),
    "long_haul": Projection("distance >= 1500"),
    "hour": Projection("FLOOR(minute / 60)"),
}


def test_projections_read_each_other_in_the_order_they_need():
    assert order(ROUTES) == ["route", "name", "long_haul", "hour"]
    frame = with_projections(FRAME, ROUTES)
    assert frame["name"].fillna("null").tolist() == ["route JFK-LAX", "null", "route EWR-MIA"]
    assert list(FRAME.columns) == ["origin", "dest", "distance", "minute", "event_time"]  # not changed in place
    pd.testing.assert_frame_equal(with_projections(frame, ROUTES), frame)
    assert kinds_with(ROUTES, {"origin": Kind.TEXT})["long_haul"] == Kind.BOOLEAN
    assert with_projections(FRAME, {}) is FRAME


def test_a_circle_is_refused_and_named():
    circle = {"a": Projection("b + 1"), "b": Projection("c"), "c": Projection("ABS(b)")}
    for refuse in (order, lambda p: with_projections(FRAME, p)):
        with pytest.raises(SliceError, match="b -> c -> b"):
            refuse(circle)
    with pytest.raises(SliceError, match="a -> a"):
        order({"a": Projection("a + 1")})


def test_slices_of_projections_of_every_kind():
    frame = with_projections(FRAME, ROUTES)
    specs = [SliceSpec(by="route"), SliceSpec(by="long_haul"), SliceSpec(by="hour", bins=(1,)),
             SliceSpec(name="far", where="long_haul AND route = 'JFK-LAX'")]  # fmt: skip
    inside = masks(resolve(specs, frame), frame)
    assert {name: int(rows.sum()) for name, rows in inside.items()} == {
        "overall": 3, "route=EWR-MIA": 1, "route=JFK-LAX": 1, "route=other": 1, "long_haul=False": 1,
        "long_haul=True": 1, "long_haul=other": 1, "hour<1": 1, "hour>=1": 2, "hour=other": 0, "far": 1,
    }  # fmt: skip
    assert mask("NOT long_haul", frame, 3).tolist() == [False, False, True]


def test_no_rows():
    empty = with_projections(FRAME.iloc[:0], ROUTES)
    assert [str(empty[c].dtype) for c in ("long_haul", "hour")] == ["boolean", "float64"]
    assert len(empty) == 0
