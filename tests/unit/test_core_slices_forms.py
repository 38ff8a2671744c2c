"""Crosses and bins: every row in exactly one slice of each, names and parents as written down, cost linear in rows."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from continual.core.slices import SliceSpec, masks, resolve
from continual.core.verdict import OVERALL
from continual.errors import SliceError

FLIGHTS = pd.DataFrame(
    {
        "carrier": ["UA"] * 5 + ["AA"] * 3 + ["B6"] * 3 + [None],
        "origin": ["JFK"] * 4 + ["EWR"] * 3 + ["JFK"] * 4 + ["LGA"],
        "distance": [100, 500, 500, 1500, np.nan, 1499.5, -np.inf, np.inf, 0, 1, 2, 3],
    }
)

texts = st.one_of(st.none(), st.sampled_from(["a", "b", "other", "x & y=1", "'", "1", ""]), st.text(max_size=2))
numbers = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, np.inf, np.nan]))
column = st.one_of(*(st.lists(v, min_size=12, max_size=12) for v in (texts, numbers, st.none() | st.booleans())))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(column, column, st.integers(1, 8), st.integers(1, 3))
def test_s19_every_row_is_in_exactly_one_slice_of_a_cross(a, b, top, min_rows):
    frame = pd.DataFrame({"a": pd.Series(a, dtype=object), 'odd "b"': pd.Series(b, dtype=object)})
    slices = resolve([SliceSpec(cross=("a", 'odd "b"'), top=top, min_rows=min_rows)], frame)
    inside = masks(slices, frame)
    assert len(inside) == len(slices) <= top + 2
    assert slices[-1].name == 'a x odd "b"=other'
    assert (np.sum([inside[s.name] for s in slices[1:]], axis=0) == 1).all()
    assert all(inside[s.name].sum() >= min_rows for s in slices[1:-1])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.lists(st.one_of(st.none(), st.floats(), st.integers(-5, 5)), max_size=20),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6, unique=True).map(sorted),
)
def test_s19_every_row_is_in_exactly_one_bin_and_the_bins_are_half_open(values, edges):
    frame = pd.DataFrame({"c": pd.Series(values, dtype=float)})
    slices = resolve([SliceSpec(by="c", bins=tuple(edges))], frame)
    inside = masks(slices, frame)
    found = np.array([inside[s.name] for s in slices[1:]]).reshape(len(edges) + 2, len(values))
    assert (found.sum(axis=0) == 1).all()
    at = np.searchsorted(edges, frame["c"], side="right")
    expected = np.where(frame["c"].isna(), len(edges) + 1, at)
    assert (found.argmax(axis=0) == expected).all()


def test_names_of_bins_crosses_and_rests():
    specs = [SliceSpec(by="distance", bins=(1, 500, 1500.5)), SliceSpec(cross=("carrier", "origin"), min_rows=2)]
    slices = resolve(specs, FLIGHTS)
    assert [s.name for s in slices] == [
        OVERALL, "distance<1", "distance=[1,500)", "distance=[500,1500.5)", "distance>=1500.5", "distance=other",
        "carrier=AA & origin=EWR", "carrier=B6 & origin=JFK", "carrier=UA & origin=JFK", "carrier x origin=other",
    ]  # fmt: skip
    inside = masks(slices, FLIGHTS)
    assert np.flatnonzero(inside["distance<1"]).tolist() == [6, 8]
    assert np.flatnonzero(inside["distance=[500,1500.5)"]).tolist() == [1, 2, 3, 5]
    assert np.flatnonzero(inside["distance=other"]).tolist() == [4]
    assert np.flatnonzero(inside["carrier x origin=other"]).tolist() == [4, 7, 11]


def test_a_pair_named_by_hand_is_the_same_rows_later():
    slices = resolve([SliceSpec(cross=("carrier", "origin"))], FLIGHTS)
    later = pd.DataFrame({"carrier": ["UA", "UA", "NEW", None], "origin": ["JFK", "LGA", "JFK", "JFK"]})
    inside = masks(slices, later)
    assert inside["carrier=UA & origin=JFK"].tolist() == [True, False, False, False]
    assert inside["carrier x origin=other"].tolist() == [False, True, True, True]


def test_two_pairs_never_share_a_name():
    frame = pd.DataFrame({"a": ["1", "1 & b=2"], "b": ["2 & b=3", "3"]})
    assert [s.name for s in resolve([SliceSpec(cross=("a", "b"))], frame)] == [OVERALL, "a x b=other"]


def test_cells_roll_up_to_the_slices_of_a_column():
    by = SliceSpec(by="carrier", top=2)
    slices = resolve([SliceSpec(cross=("origin", "carrier"), parent="carrier"), by], FLIGHTS)
    assert {s.name: s.parent for s in slices if "&" in s.name} == {
        "origin=EWR & carrier=AA": "carrier=AA",
        "origin=EWR & carrier=UA": "carrier=UA",
        "origin=JFK & carrier=AA": "carrier=AA",
        "origin=JFK & carrier=B6": "carrier=other",  # top 2: AA before B6 among equals
        "origin=JFK & carrier=UA": "carrier=UA",
    }
    inside = masks(slices, FLIGHTS)
    assert all((inside[s.name] <= inside[s.parent]).all() for s in slices[1:])
    alone = resolve([SliceSpec(cross=("origin", "carrier"), parent="carrier")], FLIGHTS)
    assert {s.parent for s in alone[1:]} == {OVERALL}


def test_two_slices_with_one_name_are_refused_not_merged():
    with pytest.raises(SliceError, match="'carrier=AA' twice"):
        resolve([SliceSpec(by="carrier"), SliceSpec(by="carrier", top=2)], FLIGHTS)


def test_s17_a_missing_column_of_a_cross_or_of_bins_is_an_error():
    for spec in (SliceSpec(cross=("carrier", "gone")), SliceSpec(by="gone", bins=(1,))):
        with pytest.raises(SliceError, match="'gone' is missing"):
            resolve([spec], FLIGHTS)


def test_bins_of_a_column_of_text_are_an_error_not_empty_slices():
    with pytest.raises(SliceError, match="text is compared with a number"):
        masks(resolve([SliceSpec(by="carrier", bins=(1,))], FLIGHTS), FLIGHTS)


def test_the_rest_of_a_thousand_pairs_can_be_evaluated():
    frame = pd.DataFrame({"a": [f"{i:04d}" for i in range(1001)], "b": [f"{i % 7}" for i in range(1001)]})
    inside = masks(resolve([SliceSpec(cross=("a", "b"), top=1000)], frame), frame)
    assert len(inside) == 1002
    assert inside["a x b=other"].sum() == 1


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(texts, numbers), min_size=1, max_size=30))
def test_masks_of_many_slices_are_those_of_each_slice_alone(rows):
    frame = pd.DataFrame({"a": pd.Series([a for a, _ in rows], dtype=object), "b": [b for _, b in rows]})
    frame["b"] = frame["b"].astype(float)
    specs = [
        SliceSpec(by="a"), SliceSpec(by="b"), SliceSpec(cross=("a", "b")),
        SliceSpec(name="some", where="a IN ('a', 'b') AND NOT b > 1 OR b IS NULL"),
    ]  # fmt: skip
    slices = resolve(specs, frame)
    together = masks(slices, frame)
    assert all((masks([s], frame)[s.name] == together[s.name]).all() for s in slices)


def test_five_hundred_slices_share_the_work():
    """Ten times the slices of a column cost far less than ten times as much as one slice each from scratch."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.integers(0, 250, 20_000).astype(str), "b": rng.integers(0, 20, 20_000).astype(str)})
    specs = [SliceSpec(by="a", top=250), SliceSpec(cross=("a", "b"), top=250)]
    slices = resolve(specs, frame)
    masks(slices, frame)  # predicates are parsed once
    start = time.process_time()
    masks(slices, frame)
    together = time.process_time() - start
    start = time.process_time()
    for item in slices[::25]:
        masks([item], frame)
    apart = (time.process_time() - start) * 25
    assert len(slices) == 503
    assert together < apart / 4


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cross": ["a", "a"]}, "two different columns"),
        ({"cross": ["a"]}, "Field required|at least 2"),
        ({"cross": ["a", "b", "c"]}, "at most 2"),
        ({"cross": ["a", "b"], "by": "c"}, "exactly one"),
        ({"cross": ["a", "b"], "bins": [1]}, "'bins' belong to 'by'"),
        ({"name": "x", "where": "a = 1", "bins": [1]}, "'bins' belong to 'by'"),
        ({"by": "a", "bins": []}, "at least 1"),
        ({"by": "a", "bins": [1, 1]}, "must ascend"),
        ({"by": "a", "bins": [0.0, -0.0]}, "must ascend"),
        ({"by": "a", "bins": [2, 1]}, "must ascend"),
        ({"by": "a", "bins": [float("nan")]}, "finite"),
        ({"by": "a", "bins": list(range(101))}, "at most 100"),
        ({"by": "a", "bins": ["x"]}, "number"),
    ],
)
def test_a_cross_or_bins_that_are_none_are_refused(fields, words):
    with pytest.raises(ValidationError, match=words):
        SliceSpec(**fields)


def test_forms_survive_the_round_through_json():
    for spec in (SliceSpec(by="a", bins=(1, 2.5)), SliceSpec(cross=("a", "b"), parent="a")):
        assert SliceSpec.model_validate(spec.model_dump(mode="json")) == spec
        assert spec.label in {"by a", "cross a x b"}
        assert set(spec.columns) <= {"a", "b"}
