"""What a batch must satisfy before any expectation of the policy."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from continual.expectations import schema
from continual.metrics.base import Task

AS_OF = datetime(2013, 7, 2, tzinfo=UTC)
DAY = date(2013, 7, 1)
COLUMNS = schema.kinds_of(numeric=["temp"], text=["carrier"])


def batch(**columns: Any) -> pd.DataFrame:
    base = {
        "record_key": ["a", "b", "c"],
        "event_time": pd.to_datetime(["2013-07-01T01:00Z", "2013-07-01T02:00Z", "2013-07-01T23:59Z"]),
        "model_version": ["1", "1", "1"],
        "prediction": [0.0, 0.5, 1.0],
        "temp": [70.0, None, 71.0],
        "carrier": ["AA", None, "B6"],
    }
    return pd.DataFrame({**base, **columns})


def check(frame: pd.DataFrame) -> schema.ValidationOutcome:
    return schema.check_predictions(frame, AS_OF, COLUMNS, DAY)


def failing(frame: pd.DataFrame) -> dict[int, tuple[str, ...]]:
    outcome = check(frame)
    assert not outcome.failed_batch, outcome.reason
    return outcome.row_failures


def test_good_batch_passes() -> None:
    assert failing(batch()) == {}
    assert check(batch()).reason == "3 rows passed"


def test_history_without_a_model_passes() -> None:
    assert failing(batch(model_version=[None] * 3, prediction=[np.nan] * 3)) == {}
    assert failing(batch(model_version=[None] * 3, prediction=[None] * 3)) == {}


def test_s1_empty_batch_fails() -> None:
    assert "empty" in check(batch().head(0)).reason
    assert "empty" in schema.check_labels(labels().head(0), AS_OF).reason


def test_s5_missing_column_names_what_came() -> None:
    outcome = check(batch().rename(columns={"temp": "temperature"}))
    (reason,) = outcome.reasons
    assert "temp: the column is missing; was it renamed to temperature?" in reason
    assert "record_key, event_time" in reason


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"temp": ["70", "n/a", "71"]}, "temp: must hold number, holds text"),
        ({"temp": [True, False, True]}, "temp: must hold number, holds boolean"),
        ({"carrier": [1, 2, 3]}, "carrier: must hold text, holds number"),
        ({"carrier": ["AA", 2, 3]}, "carrier: must hold text, holds mixed"),
        ({"prediction": ["0.1", "0.2", "0.3"]}, "prediction: must hold number"),
        ({"event_time": ["2013-07-01"] * 3}, "event_time: must hold instant, holds text"),
        ({"event_time": pd.to_datetime(["2013-07-01T01:00"] * 3)}, "event_time: instants without a time zone"),
    ],
)
def test_wrong_type_fails_the_batch(columns: dict[str, Any], sentence: str) -> None:
    assert sentence in check(batch(**columns)).reason


def test_duplicated_column_name_fails_the_batch() -> None:
    frame = pd.concat([batch(), batch()[["temp"]]], axis=1)
    assert check(frame).reasons == ("temp: two columns of this name came",)


def test_categorical_text_is_text() -> None:
    assert failing(batch(carrier=pd.Categorical(["AA", None, "B6"]))) == {}


def test_null_and_blank_keys() -> None:
    assert failing(batch(record_key=["a", None, "  "])) == dict.fromkeys((1, 2), ("record_key: null or blank",))


def test_s6_repeated_row_keeps_its_first_and_conflicting_rows_keep_none() -> None:
    frame = batch().iloc[[0, 0, 1, 2, 2]].reset_index(drop=True)
    frame.loc[4, "temp"] = 99.0
    found = failing(frame)
    assert set(found) == {1, 3, 4}
    assert "the same row" in found[1][0]
    assert "different content" in found[3][0]


def test_rows_are_counted_by_position_not_by_index() -> None:
    frame = batch(prediction=[0.1, 2.0, 0.3])
    frame.index = pd.Index([7, 7, 3])
    assert list(failing(frame)) == [1]


def test_event_time_null_future_or_of_another_day() -> None:
    times = pd.to_datetime([None, "2013-07-03T00:00Z", "2013-06-30T23:59Z"], utc=True)
    found = failing(batch(event_time=times))
    assert found[0] == ("event_time: null",)
    assert len(found[1]) == 2
    assert "after 2013-07-02" in found[1][0]
    assert "outside 2013-07-01" in found[2][0]


def test_event_time_all_null_marks_every_row() -> None:
    assert list(failing(batch(event_time=[None] * 3))) == [0, 1, 2]


def test_event_time_in_another_zone_is_the_same_instant() -> None:
    times = pd.to_datetime(["2013-06-30T21:00-04:00"] * 3)
    assert failing(batch(event_time=times)) == {}


def test_predictions_outside_or_not_a_number() -> None:
    found = failing(batch(prediction=[-0.1, np.nan, np.inf]))
    assert found[0] == ("prediction: outside [0, 1]",)
    assert "null or NaN" in found[1][0]
    assert found[2] == found[0]
    nobody = failing(batch(model_version=["1", None, "1"]))
    assert list(nobody) == [1]


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", object])
def test_an_infinite_feature_is_set_aside_and_null_is_not(dtype: Any) -> None:
    values = pd.Series([70.0, np.inf, np.nan], dtype="float64").astype(dtype)
    found = failing(batch(temp=values.where(values.notna(), None) if dtype is object else values))
    assert found == {1: ("temp: infinite; deliver null where nothing is known",)}
    assert failing(batch(temp=[1, 2, 3])) == {}
    assert failing(batch(temp=[None] * 3)) == {}
    assert list(failing(batch(temp=[-np.inf, 1.0, 2.0]))) == [0]


def labels(**columns: Any) -> pd.DataFrame:
    base = {
        "record_key": ["a", "a", "b"],
        "value": [1, 0, 1],
        "source": ["arrivals"] * 3,
        "known_at": pd.to_datetime(["2013-07-01T05:00Z"] * 3),
    }
    return pd.DataFrame({**base, **columns})


def test_labels_may_repeat_a_key() -> None:
    assert schema.check_labels(labels(), AS_OF, DAY).reason == "3 rows passed"


def test_labels_that_are_no_labels() -> None:
    frame = labels(value=[2.0, None, 1.0], record_key=["a", "b", None])
    found = schema.check_labels(frame, AS_OF, DAY).row_failures
    assert found == {0: ("value: must be 0 or 1",), 1: ("value: must be 0 or 1",), 2: ("record_key: null or blank",)}


def test_labels_from_the_future() -> None:
    early = datetime(2013, 7, 1, 4, tzinfo=UTC)
    assert schema.check_labels(labels(), early).mask.all()


def test_s4_null_jump_against_the_usual_share() -> None:
    usual = {"temp": 0.0, "seats": 0.16, "gone": 0.1}
    assert schema.null_jumps({"temp": 0.5, "seats": 0.2}, usual) == ("temp: 50.0% null, usually 0.0%",)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("", "record_key: null or blank"),
        ("x" * 256, "record_key: longer than 255 characters"),
        ("a\x00b", "record_key: holds a control character"),
        ("a\nb", "record_key: holds a control character"),
        ("a\x9fb", "record_key: holds a control character"),
    ],
)
def test_s61_keys_that_nobody_could_ask_for_again(key: str, sentence: str) -> None:
    assert failing(batch(record_key=["a", key, "x" * 255])) == {1: (sentence,)}
    assert schema.check_labels(labels(record_key=["a", key, "b"]), AS_OF, DAY).row_failures == {1: (sentence,)}


def test_a_clock_may_run_ahead_by_five_minutes() -> None:
    times = pd.to_datetime(["2013-07-02T00:05:00Z", "2013-07-02T00:05:01Z", "2013-07-01T01:00:00Z"])
    outcome = schema.check_predictions(batch(event_time=times), AS_OF, COLUMNS)
    assert list(outcome.row_failures) == [1]
    found = schema.check_labels(labels(known_at=times), AS_OF).row_failures
    assert list(found) == [1]


def test_predictions_known_before_their_event_or_in_the_future() -> None:
    known = pd.to_datetime(["2013-07-01T00:55Z", "2013-07-01T01:54Z", "2013-07-02T01:00Z"])
    found = failing(batch(known_at=known))
    assert list(found) == [1, 2]
    assert found[1] == ("known_at: before event_time",)
    assert "known_at: after 2013-07-02" in found[2][0]
    assert failing(batch(known_at=[known[0], pd.NaT, known[0] + pd.Timedelta(hours=23)])) == {1: ("known_at: null",)}
    assert "known_at: must hold instant" in check(batch(known_at=["x"] * 3)).reason


CLASSES = ("cat", "dog")


def multiclass(**columns: Any) -> dict[int, tuple[str, ...]]:
    base = {"p_cat": [0.5, 0.2, 1.0], "p_dog": [0.5, 0.8004, 0.0]}
    frame = batch(**{**base, **columns}).drop(columns="prediction")
    outcome = schema.check_predictions(frame, AS_OF, COLUMNS, DAY, task=Task.MULTICLASS, classes=CLASSES)
    assert not outcome.failed_batch, outcome.reason
    return outcome.row_failures


def test_multiclass_predictions_are_distributions() -> None:
    assert multiclass() == {}
    assert multiclass(p_cat=[0.5, 0.3, 1.0]) == {1: ("p_*: do not sum to 1",)}
    assert multiclass(p_cat=[0.5, np.inf, -1.0]) == dict.fromkeys((1, 2), ("p_*: outside [0, 1]",))
    assert multiclass(p_cat=[0.5, np.nan, 1.0]) == {1: ("p_*: some classes have no probability",)}
    nothing = {"p_cat": [np.nan] * 3, "p_dog": [np.nan] * 3}
    assert multiclass(**nothing, model_version=[None] * 3) == {}
    assert list(multiclass(**nothing)) == [0, 1, 2]
    missing = schema.check_predictions(batch(p_cat=0.5), AS_OF, COLUMNS, task=Task.MULTICLASS, classes=CLASSES)
    assert "p_dog: the column is missing" in missing.reason


@pytest.mark.parametrize(
    ("values", "bad"),
    [(["cat", "dog", "cow"], [2]), (["cat", None, "Dog"], [1, 2]), ([0, 1, 2], [2]), ([0.5, 1.0, -1.0], [0, 2])],
)
def test_s19_a_class_that_the_policy_does_not_name_is_set_aside(values: list[Any], bad: list[int]) -> None:
    outcome = schema.check_labels(labels(value=values), AS_OF, DAY, task=Task.MULTICLASS, classes=CLASSES)
    assert list(outcome.row_failures) == bad


def test_regression_takes_any_finite_number() -> None:
    found = schema.check_predictions(
        batch(prediction=[-5e9, np.inf, 3.0]), AS_OF, COLUMNS, DAY, task=Task.REGRESSION
    ).row_failures
    assert found == {1: ("prediction: not finite",)}
    outcome = schema.check_labels(labels(value=[-3.5, np.inf, None]), AS_OF, DAY, task=Task.REGRESSION)
    assert list(outcome.row_failures) == [1, 2]
