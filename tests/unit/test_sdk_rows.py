"""What the SDK takes, and what it says at once about what it does not."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from continual.errors import BatchError
from continual.sdk._inbox import encode
from continual.sdk._rows import prepared

NOW = datetime(2024, 1, 5, 12, tzinfo=UTC)
AT = datetime(2024, 1, 1, 23, 30, tzinfo=UTC)
ROW: dict[str, Any] = {"record_key": "a", "event_time": AT, "model_version": "3", "prediction": 0.5, "income": 7}
FRAME = pd.DataFrame([ROW, {**ROW, "record_key": "b"}])


@pytest.mark.parametrize(
    "rows",
    [
        [ROW, {**ROW, "record_key": "b"}],
        FRAME,
        FRAME.astype({"record_key": "category", "model_version": object, "event_time": object}),
        FRAME.assign(model_version=3),
        pa.Table.from_pandas(FRAME),
        FRAME.assign(event_time="2024-01-02T01:30:00+02:00").to_dict("records"),
        FRAME.assign(event_time=AT.astimezone(timezone(timedelta(hours=-7)))),
    ],
    ids=["dicts", "frame", "objects", "number as version", "arrow", "iso text", "other zone"],
)
def test_every_form_of_the_same_rows_becomes_the_same_table(rows: Any) -> None:
    table = prepared(rows, "predictions", NOW)
    assert table.schema.field("event_time").type == pa.timestamp("us", tz="UTC")
    assert table.to_pylist() == [ROW, {**ROW, "record_key": "b"}]


def without(name: str) -> dict[str, Any]:
    return {k: v for k, v in ROW.items() if k != name}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([without("record_key")], "no record_key"),
        ([without("event_time")], "no event_time"),
        ([without("prediction")], "no prediction"),
        ([ROW, {**ROW, "record_key": None}], "1 of 2 rows have none"),
        ([{**ROW, "record_key": " "}], "every row has a record_key"),
        ([{**ROW, "record_key": 1.5}], "record_key is text"),
        ([ROW, {**ROW, "event_time": None}], "every row has event_time"),
        ([ROW, {**ROW, "event_time": AT.replace(tzinfo=None)}], "event_time has a time zone.*23:30:00 without"),
        ([{**ROW, "event_time": "2024-01-01T10:00:00"}], "event_time has a time zone"),
        ([{**ROW, "event_time": "yesterday"}], "event_time is an instant.*'yesterday'"),
        ([{**ROW, "event_time": 1_704_067_200}], "event_time is an instant.*int64"),
        ([{**ROW, "prediction": "0.5"}], "prediction is a number.*string"),
        ([{**ROW, "prediction": True}], "prediction is a number.*bool"),
        ([ROW, {**ROW, "income": "much"}], "one kind of value a column"),
        ([{**ROW, "income": {"gross": 7}}], "income: struct"),
        (FRAME.assign(event_time=AT.replace(tzinfo=None)), "event_time has a time zone"),
        (FRAME.assign(event_time=pd.Series([AT, AT.replace(tzinfo=None)], dtype=object)), "has a time zone"),
        (pd.concat([FRAME, FRAME], axis=1), "column names are unique"),
        (7, "int"),
    ],
)
def test_rows_that_could_never_be_taken_in_are_refused_in_the_call(rows: Any, words: str) -> None:
    with pytest.raises(BatchError, match=words) as caught:
        prepared(rows, "predictions", NOW)
    assert "none of these rows was logged" in caught.value.remedy


def test_single_odd_scores_are_left_to_ingest_which_sets_the_rows_aside() -> None:
    rows = [{**ROW, "prediction": value} for value in (float("nan"), float("inf"), 2.0, None)]
    assert prepared(rows, "predictions", NOW).num_rows == 4


def test_a_label_without_the_moment_of_knowledge_gets_the_clock_and_only_such_a_one() -> None:
    rows = [{"record_key": 1, "value": 1}, {"record_key": 2, "value": 0, "known_at": AT, "source": "court"}]
    table = prepared(rows, "labels", NOW, "payments")
    assert table["record_key"].to_pylist() == ["1", "2"]
    assert table["known_at"].to_pylist() == [NOW, AT]
    assert table["source"].to_pylist() == ["payments", "court"]
    assert prepared([{"record_key": "1", "value": 1}], "labels", NOW, "s")["known_at"].to_pylist() == [NOW]
    with pytest.raises(BatchError, match="no source"):
        prepared([{"record_key": "1", "value": 1}], "labels", NOW)
    with pytest.raises(BatchError, match="value is a number"):
        prepared([{"record_key": "1", "value": "yes"}], "labels", NOW, "s")


def test_what_happens_to_a_frame_after_the_call_is_not_logged() -> None:
    numbers = np.array([[0.25], [0.75]])
    frame = FRAME.drop(columns="prediction").assign(prediction=numbers[:, 0])
    table = prepared(frame, "predictions", NOW)
    frame.loc[:, "prediction"] = 9.0
    numbers[:] = 9.0
    assert table["prediction"].to_pylist() == [0.25, 0.75]


def test_a_file_holds_one_stream_day_and_schema() -> None:
    late = {**ROW, "record_key": "b", "event_time": AT + timedelta(hours=1)}
    label = prepared([{"record_key": "a", "value": 1}], "labels", NOW, "s")
    wider = prepared([{**ROW, "record_key": "c", "bureau": 1.5}], "predictions", NOW)
    first = prepared([ROW, late], "predictions", NOW)
    files = list(encode("loans", [("predictions", first), ("labels", label), ("predictions", wider)]))
    assert sorted((f.name.rpartition("-")[0], f.rows) for f in files) == [
        ("loans/labels/2024-01-05", 1),
        ("loans/predictions/2024-01-01", 1),
        ("loans/predictions/2024-01-01", 1),
        ("loans/predictions/2024-01-02", 1),
    ]
    assert len({f.name for f in files}) == 4
    assert date.fromisoformat(files[0].name.split("/")[2][:10]) == AT.date()


def test_the_sdk_imports_nothing_heavy() -> None:
    heavy = "{'pandas','pyarrow','numpy','fsspec','s3fs','mlflow','sqlalchemy','pydantic','airflow'}"
    code = f"import sys, continual.sdk; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
