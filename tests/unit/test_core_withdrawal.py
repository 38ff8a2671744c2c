"""Which rows a withdrawal takes, and at which instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from continual.core.window import Window
from continual.core.withdrawal import Scope, Withdrawal
from continual.errors import SliceError
from continual.stores.log_withdrawn import Withdrawn, columns_for, without

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _frame() -> pd.DataFrame:
    times = pd.to_datetime([START + n * HOUR for n in range(6)], utc=True)
    batches = ["a", "a", "b", "b", None, "c"]
    return pd.DataFrame({"event_time": times, "age": [0.0, 1, 2, np.nan, 1, 0], "batch_id": batches, "other": range(6)})


def _window(first: int, last: int) -> Window:
    return Window(START + first * HOUR, START + last * HOUR)


def _taken(**scope: object) -> list[int]:
    whole = {"stream": "predictions", "window": _window(0, 6), **scope}
    return np.flatnonzero(Scope(**whole).mask(_frame())).tolist()  # type: ignore[arg-type]


def test_the_window_is_half_open() -> None:
    assert _taken(window=_window(1, 4)) == [1, 2, 3]


def test_an_expression_that_is_unknown_for_a_row_does_not_take_it() -> None:
    assert _taken(predicate="age <= 1") == [0, 1, 4, 5]
    assert _taken(predicate="age > 1") == [2]
    assert _taken(predicate="age <= 1", window=_window(4, 5)) == [4]
    assert _taken(predicate="age <= 1", window=_window(2, 4)) == []


def test_batches_narrow_it_and_a_row_without_one_is_of_none() -> None:
    assert _taken(batches=("a", "c")) == [0, 1, 5]
    assert _taken(batches=("a", "c"), predicate="age = 0") == [0, 5]


def test_computed_columns_come_from_the_withdrawal_itself() -> None:
    scope = Scope("predictions", _window(0, 6), "old = 1", {"old": "age * 1"})
    assert scope.columns == ("age", "event_time")
    assert np.flatnonzero(scope.mask(_frame())).tolist() == [1, 4]


def test_a_predicate_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SliceError, match="text"):
        _taken(predicate="age = 'x'")


@pytest.mark.parametrize("dictionary", [False, True])
def test_the_log_reads_what_is_left(dictionary: bool) -> None:
    table = pa.Table.from_pandas(_frame().assign(word=list("xyxyxy")), preserve_index=False)
    if dictionary:
        table = table.set_column(4, "word", table.column("word").dictionary_encode())
    scopes = [Scope("predictions", _window(0, 3), "word = 'x'"), Scope("predictions", _window(5, 6))]
    assert without(table, scopes).column("other").to_pylist() == [1, 3, 4]
    assert without(table, []) is table
    assert columns_for(["other"], scopes) == ["other", "event_time", "word"]
    assert columns_for(None, scopes) is None


def test_it_holds_from_its_instant_until_it_is_restored() -> None:
    made = Withdrawal("w", Scope("predictions", _window(0, 6)), "why", "ann", START, 1, 6)
    back = Withdrawal("w", made.scope, "why", "ann", START, 1, 6, START + 2 * HOUR, "ben", "right", 2)
    tick = timedelta(microseconds=1)
    at = [START - tick, START, START + 2 * HOUR - tick, START + 2 * HOUR]
    assert [made.in_force(instant) for instant in at] == [False, True, True, True]
    assert [back.in_force(instant) for instant in at] == [False, True, True, False]
    assert (made.last_seq, back.last_seq, back.instants) == (1, 2, (START, START + 2 * HOUR))


def test_without_a_store_nothing_is_withdrawn() -> None:
    none = Withdrawn(None)
    found = none.scopes("labels", START), none.days(START, START), none.head(), none.days_after(None)
    assert found == ([], set(), None, set())
