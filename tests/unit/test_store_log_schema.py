"""A batch is brought into the log's types, or refused with column, types and remedy."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from continual.errors import BatchError, StoreError
from continual.stores.log_schema import LABELS, PREDICTIONS, arrow_schema, conform, iceberg_schema
from continual.stores.names import checked_app

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STORED = pa.schema([*PREDICTIONS, pa.field("x", pa.int64()), pa.field("s", pa.string())])


def _batch(**columns: object) -> pa.Table:
    table = pa.table({"record_key": ["a", "b"], "event_time": [NOON, NOON], "known_at": [NOON, NOON]})
    for name, values in columns.items():
        table = table.append_column(name, values if isinstance(values, pa.Array) else pa.array(values))
    return table


def test_missing_columns_become_null_and_new_ones_follow() -> None:
    rows = conform(_batch(new=[True, False]), STORED, open_ended=True)
    assert rows.column_names == [*STORED.names, "new"]
    assert rows.column("x").null_count == 2
    assert rows.column("new").to_pylist() == [True, False]


@pytest.mark.parametrize(
    ("arrived", "stored"),
    [
        (pa.array([1, 2], pa.int8()), pa.array([1, 2], pa.int64())),
        (pa.array([1.5, float("nan")], pa.float32()), pa.array([1.5, None], pa.float64())),
        (pa.array([Decimal("1.5"), None]), pa.array([1.5, None], pa.float64())),
        (pa.array(["u", "v"]).dictionary_encode(), pa.array(["u", "v"])),
        (pa.array(["u", "v"], pa.large_string()), pa.array(["u", "v"])),
        (pa.array([date(2026, 1, 1)] * 2, pa.date64()), pa.array([date(2026, 1, 1)] * 2, pa.date32())),
        (pa.array([NOON, None], pa.timestamp("ns", "Europe/Paris")), pa.array([NOON, None], pa.timestamp("us", "UTC"))),
    ],
)
def test_types_are_widened(arrived: pa.Array, stored: pa.Array) -> None:
    column = conform(_batch(f=arrived), PREDICTIONS, open_ended=True).column("f")
    assert column.type == stored.type
    assert column.to_pylist() == stored.to_pylist()


def test_a_cast_without_loss_is_made() -> None:
    rows = conform(_batch(x=[3.0, None], s=pa.nulls(2)), STORED, open_ended=True)
    assert rows.column("x").to_pylist() == [3, None]
    assert rows.schema.field("s").type == pa.string()


def test_an_all_null_column_of_unknown_type_waits_for_values() -> None:
    assert "later" not in conform(_batch(later=pa.nulls(2)), STORED, open_ended=True).column_names


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (_batch(x=["1", "2"]), r"'x' must be int64.*Got: string.*new column name"),
        (_batch(x=[1.5, 2.0]), r"'x' must be int64.*Got: double"),
        (_batch(s=[1, 2]), r"'s' must be string.*Got: int64"),
        (_batch(f=[[1], [2]]), r"'f' must hold numbers.*list"),
        (_batch().drop_columns("event_time"), r"'event_time' must be there.*missing"),
        (_batch().slice(0, 1).drop_columns("record_key").append_column("record_key", pa.nulls(1)), r"1 of 1 rows"),
        (
            _batch().set_column(1, "event_time", pa.array([NOON.replace(tzinfo=None)] * 2)),
            r"'event_time'.*timestamp\[us\].*time zone",
        ),
        (_batch(x=[1, 2]).append_column("x", pa.array([1, 2])), r"unique.*x twice"),
    ],
)
def test_what_does_not_fit_is_refused(batch: pa.Table, message: str) -> None:
    with pytest.raises(BatchError, match=message):
        conform(batch, STORED, open_ended=True)


def test_labels_have_a_value_and_no_other_columns() -> None:
    labels = pa.table({"record_key": ["a"], "value": [float("nan")], "known_at": [NOON]})
    with pytest.raises(BatchError, match="'value' must have a value"):
        conform(labels, LABELS, open_ended=False)
    with pytest.raises(BatchError, match="also extra"):
        conform(labels.set_column(1, "value", pa.array([1])).append_column("extra", pa.array([1])), LABELS, False)


def test_schemas_survive_iceberg() -> None:
    assert arrow_schema(iceberg_schema(STORED)) == STORED


@pytest.mark.parametrize("app", ["", "../x", "a.b", "a/b", "-a", "<b>", "a" * 65, "a\n"])
def test_s61_a_hostile_application_name_is_refused(app: str) -> None:
    with pytest.raises(StoreError, match="letters, digits"):
        checked_app(app)


def test_a_plain_application_name_is_accepted() -> None:
    assert checked_app("flights_NY-2") == "flights_NY-2"
