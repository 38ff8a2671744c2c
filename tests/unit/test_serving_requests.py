"""Rows of clients are checked with sentences; waiting requests are answered together."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continual.errors import BatchError
from continual.serving.batcher import Batcher, Overloaded
from continual.serving.rows import RowRules, checked_labels
from continual.serving.service import share_of

NOW = datetime(2024, 1, 1, tzinfo=UTC)
RULES = RowRules(
    "loans",
    ("sector", "income"),
    frozenset({"sector", "income", "region", "record_key", "event_time"}),
    {"sector": "text", "income": "number"},
)
GOOD = {"record_key": "k", "sector": "shop", "income": 1, "region": "north"}


def test_a_row_is_completed_and_typed() -> None:
    (row,) = RULES.checked([GOOD], NOW)
    assert row == {**GOOD, "income": 1.0, "event_time": "2024-01-01T00:00:00+00:00"}
    (bare,) = RULES.checked([{"sector": None, "income": None}], NOW)
    assert len(bare["record_key"]) == 32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"incme": 1}, "did you mean 'income'"),
        ({"income": "1"}, "income must be a finite number or null"),
        ({"income": True}, "income must be a finite number"),
        ({"income": float("inf")}, "income must be a finite number"),
        ({"income": 10**400}, "income must be a finite number"),
        ({"region": -(10**400)}, "region must be a number or text or null"),
        ({"event_time": "0001-01-01T00:00:00+14:00"}, "with a time zone"),
        ({"event_time": "9999-12-31T23:59:59-14:00"}, "with a time zone"),
        ({"sector": 3}, "sector must be text or null"),
        ({"region": [1]}, "region must be a number or text or null"),
        ({"record_key": " "}, "record_key must be text"),
        ({"record_key": "x" * 257}, "record_key must be text"),
        ({"record_key": 7}, "record_key must be text"),
        ({"event_time": "2024-01-01"}, "with a time zone"),
        ({"event_time": "yesterday"}, "with a time zone"),
    ],
)
def test_what_is_wrong_is_named(change: dict, words: str) -> None:
    with pytest.raises(BatchError, match=words):
        RULES.checked([GOOD, {**GOOD, **change}], NOW)


def test_a_missing_feature_is_named_and_nulls_are_allowed() -> None:
    with pytest.raises(BatchError, match=r"rows\[0\] has no income.*send null"):
        RULES.checked([{"sector": "shop"}], NOW)
    with pytest.raises(BatchError, match=r"rows\[0\] is str"):
        RULES.checked(["row"], NOW)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_s61_whatever_is_sent_is_a_sentence_or_a_row(value: object) -> None:
    for row in (value, {"sector": value, "income": value}, {**GOOD, "region": value}, {**GOOD, "record_key": value}):
        try:
            (made,) = RULES.checked([row], NOW)
        except BatchError:
            continue
        assert set(made) <= RULES.allowed


def test_labels_are_completed_and_checked() -> None:
    (label,) = checked_labels([{"record_key": "k", "value": 1}], NOW)
    assert label == {"record_key": "k", "value": 1.0, "source": "feedback", "known_at": NOW.isoformat()}
    for wrong in (
        {"record_key": "k"},
        {"value": 1},
        {"record_key": "k", "value": "1"},
        {"record_key": "k", "value": True},
        3,
    ):
        with pytest.raises(BatchError, match="correct it"):
            checked_labels([wrong], NOW)


def test_requests_that_wait_at_once_are_one_batch_and_get_their_own_answers() -> None:
    sizes, first = [], threading.Event()

    def work(rows: list[dict]) -> list[dict]:
        sizes.append(len(rows))
        if len(sizes) == 1:
            first.wait(5)
        return [{"n": -row["n"]} for row in rows]

    async def play() -> list[list[dict]]:
        batcher = Batcher(work, max_rows=8)
        asks = [asyncio.create_task(batcher.submit([{"n": 2 * n}, {"n": 2 * n + 1}])) for n in range(9)]
        await asyncio.sleep(0.05)
        first.set()
        return [await ask for ask in asks]

    answers = asyncio.run(play())
    assert answers == [[{"n": -2 * n}, {"n": -2 * n - 1}] for n in range(9)]
    assert sizes == [8, 8, 2]


def test_an_error_is_everybodys_in_the_batch_and_the_next_batch_goes_on() -> None:
    def work(rows: list[dict]) -> list[dict]:
        if rows[0]["n"] == 0:
            raise RuntimeError("model broke")
        return rows

    async def play() -> None:
        batcher = Batcher(work)
        with pytest.raises(RuntimeError, match="broke"):
            await batcher.submit([{"n": 0}])
        assert await batcher.submit([{"n": 1}]) == [{"n": 1}]

    asyncio.run(play())


def test_more_than_may_wait_is_refused_at_once() -> None:
    release = threading.Event()

    async def play() -> None:
        batcher = Batcher(lambda rows: (release.wait(5) and rows) or rows, max_waiting=3)
        held = asyncio.create_task(batcher.submit([{"n": 1}, {"n": 2}]))
        await asyncio.sleep(0.02)
        with pytest.raises(Overloaded, match="2 rows wait, 3 may"):
            await batcher.submit([{"n": 3}, {"n": 4}])
        release.set()
        await held

    asyncio.run(play())


def test_a_key_stays_with_its_version_and_shares_are_uniform() -> None:
    shares = [share_of(f"k{n}") for n in range(4000)]
    assert shares == [share_of(f"k{n}") for n in range(4000)]
    assert min(shares) >= 0 and max(shares) < 1
    assert abs(sum(s < 0.1 for s in shares) / 4000 - 0.1) < 0.02  # 4 standard errors
