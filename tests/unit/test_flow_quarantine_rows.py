"""What a row becomes in the quarantine table, and which checks judge a row by itself."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from continual.expectations.spec import ExpectationSuiteSpec
from continual.flows.quarantine import row_texts, summary
from continual.flows.replay_item import row_suite


def test_numbers_keep_every_digit_and_missing_is_null():
    rows = pd.DataFrame({"x": [0.1 + 0.2, np.nan, 1e-300], "n": [1, 2, 3], "s": ["a", None, "é"]})
    assert [json.loads(text) for text in row_texts(rows)] == [
        {"x": 0.1 + 0.2, "n": 1, "s": "a"},
        {"x": None, "n": 2, "s": None},
        {"x": 1e-300, "n": 3, "s": "é"},
    ]


def test_what_json_has_no_word_for_is_still_told():
    rows = pd.DataFrame(
        {
            "at": pd.to_datetime(["2013-08-01T00:00:00.123456Z"]),
            "day": [date(2013, 8, 1)],
            "x": [-np.inf],
            "list": [np.array([1, 2])],
        }
    )
    (row,) = map(json.loads, row_texts(rows))
    assert datetime.fromisoformat(row["at"]) == datetime(2013, 8, 1, microsecond=123456, tzinfo=UTC)
    assert (row["day"], row["x"], row["list"]) == ("2013-08-01", "-inf", [1, 2])


def test_a_batch_with_a_column_twice_can_be_kept():
    rows = pd.DataFrame([[1, 2, 3]], columns=["x", "x", "y"])
    assert list(map(json.loads, row_texts(rows))) == [{"x": 1, "x.1": 2, "y": 3}]


def test_an_item_says_every_reason_and_how_many_rows_it_has():
    assert summary(["a: null", "b: infinite", "b: infinite"]) == "b: infinite [2]; a: null [1]"
    assert summary(["a: null"] * 3) == "a: null"
    assert summary([]) == "unreadable"
    many = summary([f"column {i}: " + "x" * 60 for i in range(100)])
    assert len(many) <= 2000 and many.startswith("column 0") and many.endswith("reasons more")
    assert len(summary(["y" * 5000, "z"])) <= 2000


def test_no_rows_are_no_texts():
    assert row_texts(pd.DataFrame({"x": []})) == []


@pytest.fixture
def suite():
    return ExpectationSuiteSpec.model_validate(
        [
            {"expect_table_row_count_to_be_between": {"min_value": 100}},
            {"expect_column_mean_to_be_between": {"column": "x", "max_value": 1}},
            {"expect_column_values_to_be_between": {"column": "x", "max_value": 9}},
            {"expect_column_values_to_be_between": {"column": "x", "max_value": 8, "mostly": 0.9}},
            {"expect_column_values_to_be_between": {"column": "x", "max_value": 7, "mostly": 0.9}, "severity": "row"},
            {"expect_column_values_to_be_in_set": {"column": "empty", "value_set": ["a"]}},
            {"expect_column_values_to_not_be_null": {"column": "empty"}},
            {"expect_column_values_to_be_in_set": {"column": "absent", "value_set": ["a"]}},
        ]
    )


def test_rows_of_an_accepted_batch_are_judged_by_what_says_something_about_a_row(suite):
    frame = pd.DataFrame({"x": [1.0, 50.0], "empty": [None, None]})
    kept = row_suite(suite, frame)
    assert [(c.name.removeprefix("expect_column_values_"), c.arguments.get("max_value")) for c in kept.checks] == [
        ("to_be_between", 9),
        ("to_be_between", 7),
        ("to_not_be_null", None),
        ("to_be_in_set", None),
    ]
    assert {c.severity for c in kept.checks} == {"row"}
    assert not any("mostly" in c.arguments for c in kept.checks)
    assert kept.max_quarantined_share == 1.0
