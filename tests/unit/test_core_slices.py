"""Slices of a policy, resolved over data: every row counted once, whatever stands in the column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from continual.core.slices import WHOLE, SliceSpec, masks, resolve
from continual.core.verdict import OVERALL, Tier
from continual.errors import SliceError

FLIGHTS = pd.DataFrame(
    {
        "carrier": ["UA"] * 5 + ["AA"] * 3 + ["B6"] * 3 + ["OO"] + [None] * 2,
        "plane_age": [0, 1, 2, np.nan, 5] + [1] * 9,
    }
)

values = st.one_of(
    st.lists(
        st.one_of(st.none(), st.text(max_size=4), st.sampled_from(["other", "UA", "1", "", "'", '"'])), max_size=30
    ),
    st.lists(st.one_of(st.none(), st.integers(-(2**60), 2**60), st.integers(0, 3)), max_size=30),
    st.lists(st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -0.0, 1.0, 1.0000001, 1e-7, 1e300])), max_size=30),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=30),
    st.lists(st.one_of(st.none(), st.integers(0, 2), st.sampled_from(["0", "1", "x"])), max_size=30),
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(values, st.integers(1, 6), st.integers(1, 3), st.sampled_from(["c", 'odd "name"', "select"]))
def test_s19_every_row_of_a_by_column_is_in_exactly_one_of_its_slices(column, top, min_rows, name):
    frame = pd.DataFrame({name: pd.Series(column, dtype=object)})
    slices = resolve([SliceSpec(by=name, top=top, min_rows=min_rows)], frame)
    inside = masks(slices, frame)
    assert len(inside) == len(slices) <= top + 2
    assert inside.pop(OVERALL).all()
    counts = np.sum(list(inside.values()), axis=0) if len(frame) else np.zeros(0)
    assert (counts == 1).all()
    assert all(inside[s.name].sum() >= min_rows for s in slices[1:-1])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(values, st.randoms(use_true_random=False))
def test_resolving_does_not_depend_on_the_order_of_rows(column, random):
    frame = pd.DataFrame({"c": pd.Series(column, dtype=object)})
    shuffled = list(column)
    random.shuffle(shuffled)
    spec = [SliceSpec(by="c", top=3)]
    assert resolve(spec, frame) == resolve(spec, pd.DataFrame({"c": pd.Series(shuffled, dtype=object)}))


def test_top_and_min_rows_pick_the_most_frequent_ties_by_name():
    def names(**fields):
        return [s.name for s in resolve([SliceSpec(by="carrier", **fields)], FLIGHTS)]

    assert names() == [OVERALL, *(f"carrier={c}" for c in ("AA", "B6", "OO", "UA", "other"))]
    assert names(top=2) == [OVERALL, "carrier=AA", "carrier=UA", "carrier=other"]  # AA and B6 are equally frequent
    assert names(min_rows=4) == [OVERALL, "carrier=UA", "carrier=other"]
    assert names(min_rows=99) == [OVERALL, "carrier=other"]


def test_other_holds_the_rare_and_the_nulls_and_is_long_tail():
    slices = resolve([SliceSpec(by="carrier", top=3, tier="critical", parent="fleet")], FLIGHTS)
    assert slices[0] == WHOLE
    assert np.flatnonzero(masks(slices, FLIGHTS)["carrier=other"]).tolist() == [11, 12, 13]
    assert [(s.tier, s.parent) for s in slices[1:]] == [(Tier.CRITICAL, "fleet")] * 3 + [(Tier.LONG_TAIL, "fleet")]


def test_s19_a_category_never_seen_before_is_in_other():
    slices = resolve([SliceSpec(by="carrier")], FLIGHTS)
    later = pd.DataFrame({"carrier": ["UA", "NEW", None]})
    inside = masks(slices, later)
    assert inside["carrier=other"].tolist() == [False, True, True]
    assert inside["carrier=UA"].tolist() == [True, False, False]


def test_a_value_called_other_does_not_hide_the_rest():
    frame = pd.DataFrame({"c": ["other"] * 5 + ["x", None]})
    inside = masks(resolve([SliceSpec(by="c", top=1)], frame), frame)
    assert {name: int(rows.sum()) for name, rows in inside.items()} == {OVERALL: 7, "c=x": 1, "c=other": 6}


def test_s61_unprintable_and_endless_values_get_no_slice_of_their_own():
    frame = pd.DataFrame({"c": ["x" * 101, "a\nb", "\x00", "<b>", "inf"]})
    assert [s.name for s in resolve([SliceSpec(by="c")], frame)] == [OVERALL, "c=<b>", "c=other"]


def test_other_of_a_thousand_long_values_can_be_evaluated():
    frame = pd.DataFrame({"c": [f"{i:0100d}" for i in range(1001)]})
    inside = masks(resolve([SliceSpec(by="c", top=1000)], frame), frame)
    assert len(inside) == 1002
    assert inside["c=other"].sum() == 1


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ([True, False, None], ["c=False", "c=True"]),
        ([1, 2, 2], ["c=1", "c=2"]),
        ([1.0, 2.0, np.nan], ["c=1", "c=2"]),  # whole numbers keep their names when nulls make them floats
        ([1.5, 1.0000001, 1.0000002], ["c=1.0000001", "c=1.0000002", "c=1.5"]),
        ([-3, 0, None], ["c=-3", "c=0"]),
    ],
)
def test_names_of_values(column, names):
    frame = pd.DataFrame({"c": pd.Series(column, dtype=object)})
    slices = resolve([SliceSpec(by="c")], frame)
    assert [s.name for s in slices] == [OVERALL, *names, "c=other"]
    inside = masks(slices, frame)
    assert all(inside[name].any() for name in names)


def test_named_predicate_keeps_its_text_and_leaves_nulls_out():
    spec = SliceSpec(name="new_aircraft", where="plane_age <= 1", tier="critical")
    slices = resolve([spec], FLIGHTS)
    assert slices[1].as_dict() == {
        "name": "new_aircraft", "predicate": "plane_age <= 1", "tier": "critical", "parent": OVERALL,
    }  # fmt: skip
    assert masks(slices, FLIGHTS)["new_aircraft"].sum() == 11
    assert (spec.label, spec.columns) == ("new_aircraft", ("plane_age",))
    assert (SliceSpec(by="c").label, SliceSpec(by="c").columns) == ("by c", ("c",))


def test_s17_a_missing_column_is_an_error_not_an_empty_slice():
    for spec in (SliceSpec(by="gone"), SliceSpec(name="x", where="gone = 1")):
        with pytest.raises(SliceError, match="gone"):
            masks(resolve([spec], FLIGHTS), FLIGHTS)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "either 'where'"),
        ({"name": "x"}, "either 'where'"),
        ({"by": "c", "where": "a = 1", "name": "x"}, "either 'where'"),
        ({"where": "a = 1"}, "needs a 'name'"),
        ({"where": "a = 1", "name": OVERALL}, "other than 'overall'"),
        ({"where": "a = (SELECT 1)", "name": "x"}, "Subquery is not allowed"),
        ({"where": None, "name": "x"}, "either 'where'"),
        ({"where": "a = 1", "name": "<script>"}, "should match pattern"),
        ({"by": "c", "top": 0}, "greater than or equal to 1"),
        ({"by": "c", "tier": "vip"}, "critical"),
    ],
)
def test_a_slice_that_is_no_slice_is_refused(fields, words):
    with pytest.raises(ValidationError, match=words):
        SliceSpec(**fields)
