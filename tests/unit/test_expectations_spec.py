"""Expectations as written in a policy, read without Great Expectations."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from continual.expectations.outcome import RowFinding, ValidationOutcome, combined, limited, refused
from continual.expectations.spec import ExpectationSpec, ExpectationSuiteSpec

NOT_NULL = {"expect_column_values_to_not_be_null": {"column": "carrier", "mostly": 0.95}}


class Holder(BaseModel):
    predictions: ExpectationSuiteSpec


def test_list_and_mapping_read_the_same() -> None:
    from_list = Holder.model_validate({"predictions": [NOT_NULL]})
    from_mapping = Holder.model_validate({"predictions": {"checks": [NOT_NULL]}})
    assert from_list == from_mapping
    (check,) = from_list.predictions.checks
    assert (check.name, check.severity, check.columns) == (
        "expect_column_values_to_not_be_null",
        "batch",
        ["carrier"],
    )
    assert from_list.predictions.max_quarantined_share == 0.1


def test_dump_reads_back_to_the_same_suite() -> None:
    suite = ExpectationSuiteSpec.model_validate(
        {"checks": [{**NOT_NULL, "severity": "row"}, {"expect_table_row_count_to_be_between": {"min_value": 1}}]}
    )
    dumped = suite.model_dump(mode="json")
    assert dumped["checks"][0] == {**NOT_NULL, "severity": "row"}
    assert ExpectationSuiteSpec.model_validate(dumped) == suite


def test_error_in_a_list_is_located_at_its_index() -> None:
    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"predictions": [NOT_NULL, {**NOT_NULL, "severity": "rows"}]})
    assert caught.value.errors()[0]["loc"][:2] == ("predictions", 1)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"column_not_null": {"column": "a"}}, "must be one 'expect_"),
        ({**NOT_NULL, "expect_table_row_count_to_equal": {"value": 3}}, "must be one 'expect_"),
        ({"expect_column_to_exist": "temp"}, "must be a mapping"),
        ({"expect_column_values_to_not_be_null": {"column": "a", "severity": "row"}}, "beside"),
        ({"expect_column_values_to_not_be_null": {"column": "a", "meta": {}}}, "cannot be set"),
        ({"expect_column_mean_to_be_between": {"column": "a"}, "severity": "row"}, "judges the batch as a whole"),
    ],
)
def test_wrong_expectation_is_refused_with_a_sentence(value: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ExpectationSpec.model_validate(value)


def test_dates_of_yaml_become_iso_text() -> None:
    import yaml

    text = "expect_column_values_to_be_between: {column: day, min_value: 2013-01-01}"
    check = ExpectationSpec.model_validate(yaml.safe_load(text))
    assert check.arguments["min_value"] == "2013-01-01"


def test_columns_of_pairs_and_lists() -> None:
    pair = {"expect_column_pair_values_a_to_be_greater_than_b": {"column_A": "a", "column_B": "b"}}
    many = {"expect_compound_columns_to_be_unique": {"column_list": ["a", "c"]}}
    assert [ExpectationSpec.model_validate(v).columns for v in (pair, many)] == [["a", "b"], ["a", "c"]]


def test_json_schema_offers_list_and_mapping() -> None:
    schema = Holder.model_json_schema()
    suite = schema["$defs"]["ExpectationSuiteSpec"]
    array, mapping = suite["anyOf"]
    assert array["items"]["patternProperties"]
    assert set(mapping["properties"]) == {"checks", "max_quarantined_share"}


def test_spec_imports_neither_great_expectations_nor_pandas() -> None:
    code = (
        "import sys, continual.expectations.spec, continual.sources.folder;"
        "print([m for m in ('great_expectations', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def finding(*rows: int) -> RowFinding:
    return RowFinding("temp: unexpected value", np.array(rows, dtype=np.int64))


def test_outcome_of_rows() -> None:
    outcome = ValidationOutcome(4, findings=(finding(1, 3), RowFinding("carrier: null", np.array([3]))))
    assert outcome.mask.tolist() == [False, True, False, True]
    assert outcome.row_failures == {1: ("temp: unexpected value",), 3: ("temp: unexpected value", "carrier: null")}
    assert (outcome.failed_batch, outcome.n_quarantined) == (False, 2)
    assert outcome.reason.startswith("2 of 4 rows set aside: temp: unexpected value [2]")


def test_share_of_failing_rows_at_the_limit_passes_and_above_fails_the_batch() -> None:
    at = limited(ValidationOutcome(100, findings=(finding(*range(29)),)), 0.29)
    above = limited(ValidationOutcome(100, findings=(finding(*range(30)),)), 0.29)
    assert not at.failed_batch
    assert above.failed_batch
    assert "30 of 100 rows (30.0%)" in above.reason
    assert above.n_quarantined == 100
    assert limited(ValidationOutcome(0), 0.0).failed_batch is False


def test_combined_says_a_shared_reason_once() -> None:
    both = combined(3, [refused(3, "temp: missing"), refused(3, "temp: missing", "seats: missing")])
    assert both.reasons == ("temp: missing", "seats: missing")
    assert both.as_dict()["failed_batch"] is True
