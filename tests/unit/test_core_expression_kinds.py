"""Declared kinds of columns find at load time what only data would reveal."""

from __future__ import annotations

import pytest

from continual.core.expression import Kind, check_kinds
from continual.core.projection import Projection
from continual.errors import PolicyError, SliceError
from continual.policy.consistency import problems
from continual.policy.load import parse_policy
from continual.policy.models import Policy

KINDS = {"a": Kind.NUMBER, "b": Kind.NUMBER, "s": Kind.TEXT, "f": Kind.BOOLEAN}


@pytest.mark.parametrize(
    ("predicate", "words"),
    [
        ("s = 5", "text is compared with a number"),
        ("a = 'x'", "text is compared with a number"),
        ("a = 1 OR NOT s IN ('x', 5)", "text is compared with a number"),
        ("s BETWEEN 1 AND 2", "text is compared with a number"),
        ("a = s", "text is compared with a number"),
        ("a - b % (a - b + 1) = 'x'", "text is compared with a number"),
        ("-s = 2", "arithmetic on text"),
        ("s AND a = 1", "a column of text is no condition"),
    ],
)
def test_what_cannot_fit_is_named(predicate, words):
    with pytest.raises(SliceError, match=words):
        check_kinds(predicate, KINDS)


@pytest.mark.parametrize(
    "predicate",
    [
        "s = '5' AND a = 5",
        "a IS NULL OR s IS NULL",
        "f AND a",
        "f = TRUE",
        "s = NULL OR a = NULL",
        "unknown = 'x'",
        "TRUE",
    ],
)
def test_what_fits_passes(predicate):
    assert check_kinds(predicate, KINDS) is None


NAME = "configs/flights.yaml"
EDITS = {
    "s50_text_against_number": ("plane_age <= 1", "plane_age <= '1'", "slices.0.where", "text is compared"),
    "s50_number_against_text": ("plane_age <= 1", "carrier = 1", "slices.0.where", "text is compared"),
    "s50_bins_of_text": ("{by: origin", "{bins: [1, 2], by: origin", "slices.2.bins", "only numbers have bins"),
    "s50_cross_column": ("{by: origin", "{cross: [carrier, orign]", "slices.2.cross", "did you mean 'origin'"),
    "s50_cross_parent": (
        "{by: origin", "{cross: [seats, origin], parent: seats", "slices.2.parent", "add {by: seats}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_bad_edit_names_line_and_field(flights_text, case):
    before, after, field, words = EDITS[case]
    assert before in flights_text
    text = flights_text.replace(before, after, 1)
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, NAME)
    line = text[: text.index(after)].count("\n") + 1
    assert f"{NAME}, line {line}, field {field}" in caught.value.got
    assert words in caught.value.got


class WithProjections(Policy):
    projections: dict[str, Projection]


def _problems(flights_text, slices=(), **projections):
    base = parse_policy(flights_text, NAME).policy.model_dump()
    policy = WithProjections.model_validate(
        base | {"projections": projections, "slices": [*base["slices"][:1], *slices], "label": base["label"]}
    )
    return problems(policy)


def test_projections_that_fit_are_columns_for_slices(flights_text):
    found = _problems(
        flights_text,
        [{"by": "route"}, {"by": "hour", "bins": [6, 12]}, {"cross": ["route", "long_haul"], "parent": "route"},
         {"name": "far", "where": "long_haul AND route <> 'JFK-LAX' AND hour < 12"}],
        route="origin || '-' || dest", long_haul="distance >= 1500", hour="EXTRACT(hour FROM event_time)",
        early="hour < 6 AND long_haul",
    )  # fmt: skip
    assert found == []


@pytest.mark.parametrize(
    ("projections", "path", "words"),
    [
        ({"origin": "dest"}, ("projections", "origin"), "already a feature or a tag"),
        ({"departure_block": "dest"}, ("projections", "departure_block"), "already a feature or a tag"),
        ({"prediction": "distance"}, ("projections", "prediction"), "column of the log itself"),
        ({"a b": "distance"}, ("projections", "a b"), "letters, digits"),
        ({"x": "orgin || dest"}, ("projections", "x"), "did you mean 'origin'"),
        ({"x": "label + 1"}, ("projections", "x"), "'label' is neither"),
        ({"x": "origin + 1"}, ("projections", "x"), "arithmetic on text"),
        ({"x": "y + 1", "y": "origin"}, ("projections", "x"), "arithmetic on text"),
        ({"x": "y", "y": "x"}, ("projections",), "x -> y -> x"),
    ],
)
def test_projections_that_do_not_fit(flights_text, projections, path, words):
    found = _problems(flights_text, **projections)
    assert [p for p, _ in found] == [path]
    assert words in found[0][1]


def test_a_slice_that_does_not_fit_a_projection(flights_text):
    found = _problems(flights_text, [{"name": "x", "where": "route > 5"}, {"by": "route", "bins": [1]}], route="origin")
    assert [p for p, _ in found] == [("slices", 1, "where"), ("slices", 2, "bins")]
