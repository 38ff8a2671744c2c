"""Row hashes: the same content has the same hash, anything else another one."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pytest

from continual.stores.row_hash import row_hash

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROWS = pa.table({"record_key": ["a", "b", "c"], "x": [1.5, -2.0, 0.0], "s": ["u", None, "v"], "t": [NOON] * 3})
# pinned (so every process agrees): stored hashes must stay comparable, so a change here needs a migration of the logs
EXPECTED = ["17d03947037316c6", "9146b89b97ac9a52", "cd26b23f04e8ebc9"]


def test_pinned_values() -> None:
    assert row_hash(ROWS).to_pylist() == EXPECTED


def test_order_of_columns_chunks_and_absent_columns_do_not_matter() -> None:
    other = ROWS.select(["t", "s", "x", "record_key"]).append_column("later", pa.nulls(3, pa.float64()))
    chunked = pa.concat_tables([other.slice(0, 1), other.slice(1)])
    assert row_hash(chunked).to_pylist() == EXPECTED


def test_how_a_row_arrived_does_not_matter() -> None:
    assert row_hash(ROWS.append_column("batch_id", pa.array(["p", "q", "r"]))).to_pylist() == EXPECTED


def test_missing_is_missing_and_negative_zero_is_zero() -> None:
    nan, null, zero = ([[v]] for v in (float("nan"), None, 0.0))
    as_hash = [row_hash(pa.table({"x": pa.array(v[0], pa.float64())}))[0].as_py() for v in (nan, null, zero, [[-0.0]])]
    assert as_hash[0] == as_hash[1] != as_hash[2] == as_hash[3]


@pytest.mark.parametrize(
    ("column", "values"),
    [("x", [1.5, -2.0, 1e-300]), ("s", ["u", "", "v"]), ("s", ["u", None, "v "]), ("record_key", ["a", "b", "C"])],
)
def test_any_change_changes_only_its_row(column: str, values: list[object]) -> None:
    place = ROWS.column_names.index(column)
    changed = row_hash(ROWS.set_column(place, column, pa.array(values, ROWS.schema.field(column).type))).to_pylist()
    differs = [old != new for old, new in zip(EXPECTED, changed, strict=True)]
    was = ROWS.column(column).to_pylist()
    assert differs == [old != new for old, new in zip(was, values, strict=True)]
    assert any(differs)


def test_values_that_swap_columns_or_rows_are_seen() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]})
    hashes = row_hash(pa.Table.from_pandas(frame, preserve_index=False)).to_pylist()
    assert hashes[0] != hashes[1]


def test_no_collision_among_structured_rows() -> None:
    frame = pd.DataFrame([(a, b, c) for a in range(40) for b in range(40) for c in range(40)], columns=list("abc"))
    hashes = row_hash(pa.Table.from_pandas(frame, preserve_index=False)).to_pandas()
    assert hashes.is_unique
    assert len(hashes) == 64_000


def test_no_rows() -> None:
    assert row_hash(ROWS.slice(0, 0)).to_pylist() == []
