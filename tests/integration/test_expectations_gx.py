"""Scenarios of bad batches against the real Great Expectations."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from continual.core.canonical import canonical_json
from continual.errors import PolicyError
from continual.expectations.catalogue import check_names, known_expectations
from continual.expectations.outcome import ValidationOutcome, rows_failing
from continual.expectations.spec import ExpectationSuiteSpec
from continual.expectations.validation import validate

pytestmark = pytest.mark.integration

NOT_NULL = {"expect_column_values_to_not_be_null": {"column": "temp", "mostly": 0.95}}
BETWEEN: dict[str, Any] = {"expect_column_values_to_be_between": {"column": "temp", "min_value": -30, "max_value": 120}}
ROW_BETWEEN = {**BETWEEN, "severity": "row"}


def suite(*checks: dict[str, Any], **fields: Any) -> ExpectationSuiteSpec:
    return ExpectationSuiteSpec.model_validate({"checks": list(checks), **fields})


def batch(n: int = 1000, **columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    base = {"record_key": [f"k{i}" for i in range(n)], "carrier": ["AA"] * n, "temp": rng.uniform(0, 100, n)}
    return pd.DataFrame({**base, **columns})


def with_values(values: list[Any], n: int = 1000) -> pd.DataFrame:
    frame = batch(n)
    return frame.assign(temp=[*values, *frame["temp"].iloc[len(values) :]])


def judge(frame: pd.DataFrame, *checks: dict[str, Any], **fields: Any) -> ValidationOutcome:
    return validate(frame, suite(*checks, **fields), "2013-07-01.parquet")


def test_good_batch_passes_with_statistics() -> None:
    outcome = judge(batch(), NOT_NULL, BETWEEN, {"expect_table_row_count_to_be_between": {"min_value": 1}})
    assert outcome.reason == "1,000 rows passed"
    assert [line["success"] for line in outcome.statistics["expectations"]] == [True] * 3
    assert outcome.statistics["null_share"]["temp"] == 0
    assert canonical_json(outcome.as_dict())


def test_no_expectations_pass() -> None:
    assert not judge(batch()).failed_batch


def test_s1_empty_batch_fails_although_map_expectations_pass() -> None:
    outcome = judge(batch().head(0), NOT_NULL, BETWEEN)
    assert outcome.reasons == ("the batch is empty: 0 rows came, so no expectation was checked",)


def test_s2_failed_outcome_sets_every_row_aside() -> None:
    outcome = judge(with_values([999.0]), BETWEEN)
    assert outcome.failed_batch
    assert outcome.n_quarantined == 1000


@pytest.mark.parametrize("severity", ["batch", "row"])
@pytest.mark.parametrize(
    "check",
    [
        {"expect_column_values_to_be_between": {"column": "carrier", "min_value": 0, "max_value": 3}},
        {"expect_column_values_to_be_between": {"column": "carrier", "min_value": 0, "mostly": 0.01}},
    ],
)
def test_s3_expectation_that_raises_counts_as_failed(check: dict[str, Any], severity: str) -> None:
    outcome = judge(batch(), {**check, "severity": severity}, NOT_NULL)
    (reason,) = outcome.reasons
    assert reason.startswith("carrier: the check could not run on values of type str: ")
    by_column = {line["columns"][0]: line for line in outcome.statistics["expectations"]}
    assert by_column["carrier"]["success"] is False
    assert by_column["carrier"]["exception"]
    assert by_column["temp"]["success"] is True


def test_s3_aggregate_that_raises_counts_as_failed() -> None:
    outcome = judge(batch(), {"expect_column_mean_to_be_between": {"column": "carrier", "min_value": 3}})
    assert "could not run" in outcome.reason


def test_s4_nulls_jump_from_0_to_half() -> None:
    outcome = judge(with_values([None] * 502), NOT_NULL, BETWEEN)
    assert outcome.reasons == (
        "temp: 50.2% null, at most 5% allowed (expect_column_values_to_not_be_null, mostly=0.95)",
    )
    assert outcome.statistics["null_share"]["temp"] == 0.502


def test_s4_nulls_within_mostly_pass() -> None:
    assert judge(with_values([None] * 50), NOT_NULL).reason == "1,000 rows passed"
    assert judge(with_values([None] * 51), NOT_NULL).failed_batch


def test_s5_renamed_column_fails_once_and_names_what_came() -> None:
    outcome = judge(batch().rename(columns={"temp": "temperature"}), NOT_NULL, BETWEEN)
    assert outcome.reasons == (
        "temp: the column is missing; was it renamed to temperature? "
        "(columns that came: record_key, carrier, temperature)",
    )


def test_s5_column_of_only_nulls_after_parsing_fails_although_gx_passes() -> None:
    outcome = judge(batch(temp=[np.nan] * 1000), ROW_BETWEEN)
    assert outcome.reasons[0].startswith("temp: all 1,000 values are null, so nothing could be checked")
    assert outcome.statistics["expectations"][0]["success"] is False


def test_s5_strings_where_numbers_are_expected_fail() -> None:
    outcome = judge(batch(temp=["71"] * 1000), BETWEEN)
    assert outcome.reason.startswith("batch refused: temp: the check could not run on values of type str")


def test_duplicated_column_fails_instead_of_raising() -> None:
    frame = pd.concat([batch(), batch()[["temp"]]], axis=1)
    assert judge(frame, BETWEEN).reasons == ("temp: two columns of this name came",)


def test_s6_repeated_keys_are_set_aside() -> None:
    frame = batch()
    frame.loc[3, "record_key"] = "k2"
    unique = {"expect_column_values_to_be_unique": {"column": "record_key"}, "severity": "row"}
    assert judge(frame, unique).mask.nonzero()[0].tolist() == [2, 3]


def test_rows_of_a_row_check_are_set_aside_and_the_rest_passes() -> None:
    frame = with_values([999.0, 50.0, -99.0])
    frame.index = pd.Index(range(5000, 6000))
    outcome = judge(frame, ROW_BETWEEN)
    sentence = "temp: unexpected value (expect_column_values_to_be_between, min_value=-30, max_value=120)"
    assert outcome.row_failures == {0: (sentence,), 2: (sentence,)}
    assert (outcome.failed_batch, outcome.n_quarantined) == (False, 2)


def test_row_check_with_mostly_sets_rows_aside_within_and_fails_beyond() -> None:
    check = {
        "expect_column_values_to_be_between": {"column": "temp", "max_value": 120, "mostly": 0.99},
        "severity": "row",
    }
    within, beyond = judge(with_values([999.0] * 10), check), judge(with_values([999.0] * 11), check)
    assert (within.failed_batch, within.n_quarantined) == (False, 10)
    assert beyond.reasons[0].startswith("temp: 1.1% unexpected, such as 999.0, at most 1% allowed")


def test_batch_check_within_mostly_keeps_its_rows() -> None:
    check = {"expect_column_values_to_be_between": {"column": "temp", "max_value": 120, "mostly": 0.99}}
    assert judge(with_values([999.0] * 10), check).n_quarantined == 0


def test_rows_failing_together_beyond_the_share_fail_the_batch() -> None:
    frame = with_values([999.0] * 60)
    frame.loc[60:119, "carrier"] = "??"
    carriers = {"expect_column_values_to_be_in_set": {"column": "carrier", "value_set": ["AA"]}, "severity": "row"}
    assert "120 of 1,000 rows (12.0%)" in judge(frame, ROW_BETWEEN, carriers).reason
    assert judge(frame, ROW_BETWEEN, carriers, max_quarantined_share=0.12).n_quarantined == 120


def test_schema_outcome_counts_towards_the_share() -> None:
    frame = with_values([999.0] * 60)
    schema = rows_failing(1000, np.arange(1000) >= 940, "prediction: outside [0, 1]")
    joined = validate(frame, suite(ROW_BETWEEN), "x", schema)
    assert joined.failed_batch
    assert int(joined.mask.sum()) == 120


def test_aggregate_says_what_it_observed() -> None:
    check = {"expect_column_mean_to_be_between": {"column": "temp", "min_value": 900}}
    outcome = judge(batch(temp=[70.0] * 1000), check)
    assert outcome.reasons == ("temp: observed 70.0 (expect_column_mean_to_be_between, min_value=900)",)


def test_row_condition_reports_positions_of_the_whole_batch() -> None:
    frame = with_values([999.0, 999.0])
    frame.loc[1, "carrier"] = "B6"
    arguments = {"column": "temp", "max_value": 120, "row_condition": "carrier=='B6'", "condition_parser": "pandas"}
    outcome = judge(frame, {"expect_column_values_to_be_between": arguments, "severity": "row"})
    assert list(outcome.row_failures) == [1]


def test_validation_changes_nothing_in_the_frame() -> None:
    frame = with_values([999.0, None])
    before = frame.copy(deep=True)
    judge(frame, ROW_BETWEEN, NOT_NULL)
    pd.testing.assert_frame_equal(frame, before)


def test_unknown_expectation_suggests_the_nearest() -> None:
    checks = suite({"expect_column_values_to_not_be_nul": {"column": "temp"}}).checks
    with pytest.raises(PolicyError, match="did you mean expect_column_values_to_not_be_null"):
        check_names(checks)


def test_wrong_argument_names_it() -> None:
    checks = suite({"expect_column_values_to_be_between": {"column": "temp", "min_valu": 3}}).checks
    with pytest.raises(PolicyError, match="min_valu: extra fields not permitted"):
        check_names(checks)


def test_expectation_that_needs_a_database_is_refused() -> None:
    with pytest.raises(PolicyError, match="needs a database"):
        check_names(suite({"expect_query_results_to_match_comparison": {}}).checks)
    assert "expect_column_values_to_not_be_null" in known_expectations()


def test_quiet_and_writes_no_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO), warnings.catch_warnings():
        warnings.simplefilter("error")
        judge(batch(), *[BETWEEN] * 5, NOT_NULL, {"expect_column_mean_to_be_between": {"column": "carrier"}})
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []
    assert list(tmp_path.iterdir()) == []


def test_a_day_of_1000_rows_and_12_expectations_is_fast() -> None:
    frame = batch(**{f"c{i}": np.linspace(0, 1, 1000) for i in range(22)})
    checks = [{"expect_column_values_to_be_between": {"column": f"c{i}", "max_value": 1}} for i in range(10)]
    wanted = suite(*checks, NOT_NULL, {"expect_table_row_count_to_be_between": {"min_value": 1}})
    assert len(frame.columns) == 25
    validate(frame, wanted, "warm up")
    seconds = []
    for _ in range(5):
        start = time.process_time()
        assert not validate(frame, wanted, "x").failed_batch
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.15, seconds
