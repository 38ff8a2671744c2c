"""What is proposed for the columns of a first batch."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from continual.sources._inference import infer_schema

N = 200
COLUMNS = {
    "record_key": ([f"k{i}" for i in range(N)], "record", "record itself"),
    "income": ([i * 1.5 for i in range(N)], "numeric", "200 different ones in 200 rows"),
    "age": ([20 + i % 50 for i in range(N)], "numeric", "50 different ones"),
    "grade": ([i % 4 for i in range(N)], "numeric", "if they are codes, send them as text"),
    "sector": (["farm", "shop", None, "mine"] * (N // 4), "categorical", "3 different values in 150 rows"),
    "phone": ([f"+{i}" for i in range(N)], "ignore", "closer to a key"),
    "constant": (["x"] * N, "ignore", "one value"),
    "empty": ([None] * N, "ignore", "no value"),
    "member": ([i % 2 == 0 for i in range(N)], "ignore", "send it as 0 and 1"),
    "born": ([datetime(1990, 1, 1 + i % 28, tzinfo=UTC) for i in range(N)], "ignore", "derive a number"),
    "address": ([{"city": i} for i in range(N)], "ignore", "flatten"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_each_column_gets_a_kind_and_a_reason(name: str) -> None:
    values, kind, why = COLUMNS[name]
    ((column, proposed, reason),) = infer_schema(pa.table({name: values}))
    assert (column, proposed) == (name, kind)
    assert why in reason


def test_columns_keep_their_order_and_categories_count_as_their_values() -> None:
    table = pa.table({name: values for name, (values, _, _) in COLUMNS.items()})
    assert [name for name, _, _ in infer_schema(table)] == list(COLUMNS)
    encoded = pa.table({"sector": pa.array(COLUMNS["sector"][0]).dictionary_encode()})
    assert infer_schema(encoded)[0][1] == "categorical"
    assert infer_schema(pa.table({"income": pa.array([], pa.float64())}))[0][1] == "ignore"
