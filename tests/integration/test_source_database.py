"""The `sql` source against real SQLite and PostgreSQL."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from postgres import database_url, new_postgres, postgres_server  # noqa: F401 - fixtures
from sqlalchemy import Engine, create_engine, text

from continual.errors import BatchError
from continual.sources.base import SOURCES, Source, SourceUnavailable

pytestmark = pytest.mark.integration

UNTIL = datetime(2024, 1, 4, tzinfo=UTC)
TABLE = """CREATE TABLE "Loan Answers" (
    "Application Id" INTEGER, asked_at {instant}, version VARCHAR(20), p DOUBLE PRECISION, income NUMERIC(10, 2),
    "weird ""%s"" :name" VARCHAR(9))"""
LABELS = "CREATE TABLE outcomes (record_key VARCHAR(20), value INTEGER, seen_at {instant})"
POLICY: dict[str, Any] = {
    "kind": "sql",
    "url_env": "LOANS_URL",
    "predictions": {
        "query": 'SELECT "Application Id" AS record_key, asked_at AS event_time, version AS model_version, '
        "p AS prediction, income FROM \"Loan Answers\" WHERE version <> ':test'",
        "watermark": "event_time",
    },
    "labels": {
        "table": "outcomes",
        "watermark": "seen_at",
        "columns": {"known_at": "seen_at"},
        "constants": {"source": "payments"},
    },
}


def at(day: int, hour: float = 0) -> datetime:
    return datetime(2024, 1, day, tzinfo=UTC) + timedelta(hours=hour)


class Bank:
    """A database with a table of predictions and one of labels."""

    def __init__(self, url: str) -> None:
        self.url, self.engine = url, create_engine(url)
        self.lite = self.engine.dialect.name == "sqlite"
        percent = "%s" if self.lite else "%%s"  # psycopg would take it for a parameter
        self.run(TABLE.format(instant=self.instant).replace("%s", percent), LABELS.format(instant=self.instant))

    @property
    def instant(self) -> str:
        return "TEXT" if self.lite else "TIMESTAMPTZ"

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def answer(self, *rows: tuple[int, datetime, float]) -> None:
        self.answer_in('"Loan Answers"', *rows)

    def answer_in(self, table: str, *rows: tuple[int, datetime, float]) -> None:
        insert = text(f"INSERT INTO {table} VALUES (:k, :t, '1', :p, 1.25, 'x')")
        with self.engine.begin() as connection:
            for key, when, p in rows:
                connection.execute(insert, {"k": key, "t": when.isoformat() if self.lite else when, "p": p})


@pytest.fixture
def bank(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Bank:  # noqa: F811
    monkeypatch.setenv("LOANS_URL", database_url)
    return Bank(database_url)


def sql(**fields: Any) -> Source:
    built = SOURCES.build({**POLICY, **fields})
    assert isinstance(built, Source)
    return built


def listed(source: Source, until: datetime = UNTIL) -> dict[date, str]:
    return {ref.date: ref.content_hash for ref in source.batches("predictions", until, Path("."))}


def rows(source: Source, day: int) -> pa.Table:
    (ref,) = [r for r in source.batches("predictions", UNTIL, Path(".")) if r.date == date(2024, 1, day)]
    return source.read(ref)


def test_a_batch_is_one_utc_day_of_the_watermark(bank: Bank) -> None:
    bank.answer((1, at(1, 23.9), 0.1), (2, at(2), 0.2), (3, at(2, 5), 0.3), (4, at(4, 1), 0.4))
    east = at(2).astimezone(tz=datetime.fromisoformat("2024-01-02T03:30:00+03:30").tzinfo) + timedelta(hours=23)
    bank.answer((5, east, 0.5))  # 02:30 on the 3rd for who wrote it, 23:00 on the 2nd in UTC
    assert list(listed(sql())) == [date(2024, 1, 1), date(2024, 1, 2)]
    table = rows(sql(), 2)
    assert sorted(table["record_key"].to_pylist()) == ["2", "3", "5"]
    assert table.schema.field("event_time").type == pa.timestamp("us", tz="UTC")
    assert max(table["event_time"].to_pylist()) == at(2, 23)
    assert set(table["income"].to_pylist()) == {1.25}


def test_a_day_is_listed_when_it_is_over_by_the_lag(bank: Bank) -> None:
    bank.answer((1, at(1), 0.1), (2, at(2), 0.2), (3, at(3), 0.3))
    assert [d.day for d in listed(sql(lag="3h"))] == [1, 2]
    assert [d.day for d in listed(sql(lag="3h"), at(4, 3))] == [1, 2, 3]
    assert [d.day for d in listed(sql(look_back="2d"))] == [2, 3]


def test_s06_rows_that_arrive_behind_the_watermark_make_their_day_new_content_and_no_other(bank: Bank) -> None:
    bank.answer((1, at(1), 0.1), (2, at(1, 9), 0.2), (3, at(2), 0.3))
    before = listed(sql())
    assert listed(sql()) == before
    bank.answer((4, at(1, 3), 0.4))
    after = listed(sql())
    assert [d.day for d in before if before[d] != after[d]] == [1]
    bank.run('UPDATE "Loan Answers" SET p = 0.9 WHERE "Application Id" = 3')
    assert [d.day for d in before if after[d] != listed(sql())[d]] == [2]


def test_s06_whatever_is_read_of_a_row_is_part_of_its_day(bank: Bank) -> None:
    columns = {"record_key": "Application Id", "event_time": "asked_at", "model_version": "version", "prediction": "p"}
    bank.run('ALTER TABLE "Loan Answers" RENAME TO answers')
    source = sql(predictions={"table": "answers", "watermark": "asked_at", "columns": columns, "exclude": ["noise"]})
    bank.answer_in("answers", (1, at(1), 0.1), (2, at(1, 1), 0.2), (3, at(2), 0.3))
    seen = listed(source)
    for change in (
        'SET income = 7 WHERE "Application Id" = 1',
        'SET income = NULL WHERE "Application Id" = 2',
        'SET p = 0.3 - p WHERE "Application Id" < 3',  # 0.1 and 0.2 change places
        "SET version = '2' WHERE \"Application Id\" = 1",
    ):
        bank.run(f"UPDATE answers {change}")
        now = listed(source)
        assert [d.day for d in seen if now[d] != seen[d]] == [1], change
        seen = now
    bank.run("ALTER TABLE answers ADD COLUMN age INTEGER", "ALTER TABLE answers ADD COLUMN noise INTEGER")
    bank.run("UPDATE answers SET noise = 5")
    assert listed(source) == seen  # nobody has an age yet, and what is excluded does not count
    bank.run('UPDATE answers SET age = 40 WHERE "Application Id" = 3')
    assert [d.day for d in seen if listed(source)[d] != seen[d]] == [2]


def test_a_day_that_changed_after_listing_is_not_read(bank: Bank) -> None:
    bank.answer((1, at(1), 0.1))
    (ref,) = sql().batches("predictions", UNTIL, Path("."))
    bank.answer((2, at(1, 1), 0.1))
    with pytest.raises(BatchError, match=r"came or went meanwhile.*set source\.lag"):
        sql().read(ref)


def test_table_with_mapped_columns_constants_and_null_watermarks(bank: Bank) -> None:
    when = f"'{at(1, 5).isoformat()}'"
    bank.run(f"INSERT INTO outcomes VALUES ('a', 1, {when}), ('b', 0, NULL)")
    (ref,) = sql().batches("labels", UNTIL, Path("."))
    assert sql().read(ref).to_pylist() == [
        {"record_key": "a", "value": 1, "known_at": at(1, 5), "source": "payments"},
    ]


def test_hostile_names_are_quoted_not_run(bank: Bank) -> None:
    bank.answer((1, at(1), 0.1))
    columns = {"record_key": "Application Id", "event_time": "asked_at", "model_version": "version", "prediction": "p"}
    table = {"table": "Loan Answers", "watermark": "asked_at", "columns": columns}
    with pytest.raises(ValueError, match="must be a table's name"):
        sql(predictions=table)
    bank.run('ALTER TABLE "Loan Answers" RENAME TO answers')
    source = sql(predictions={**table, "table": "answers"})
    found = rows(source, 1)
    assert found["record_key"].to_pylist() == ["1"]
    assert 'weird "%s" :name' in found.column_names
    hostile = {**table, "table": "answers", "columns": {**columns, "prediction": "p; DROP TABLE answers; --"}}
    with pytest.raises(BatchError, match="p; DROP TABLE"):
        sql(predictions=hostile).batches("predictions", UNTIL, Path("."))
    assert len(rows(source, 1)) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"table": "gone", "query": None}, "gone must be readable.*grant SELECT"),
        ({"watermark": "event_tme"}, "must have the column 'event_tme'.*did you mean 'event_time'"),
        ({"watermark": "prediction"}, "'prediction' must hold instants.*0.1"),
        ({"watermark": "model_version"}, "'model_version' must hold instants"),
        ({"watermark": "record_key"}, "'record_key' must hold instants"),
        ({"query": 'SELECT asked_at AS event_time FROM "Loan Answers"'}, "must have the column 'record_key'"),
    ],
)
def test_what_the_policy_gets_wrong_is_an_error_with_a_remedy(bank: Bank, change: dict[str, Any], words: str) -> None:
    bank.answer((1, at(1), 0.1))
    with pytest.raises(BatchError, match=words):
        sql(predictions={**POLICY["predictions"], **change}).batches("predictions", UNTIL, Path("."))


def test_instants_without_a_zone_are_refused_or_declared_utc(bank: Bank) -> None:
    bank.run("CREATE TABLE naive (record_key VARCHAR(9), value INTEGER, source VARCHAR(9), known_at TIMESTAMP)")
    bank.run("INSERT INTO naive VALUES ('a', 1, 's', '2024-01-01 23:30:00')")
    labels = {"table": "naive", "watermark": "known_at"}
    with pytest.raises(BatchError, match=r"time zone.*2024-01-01 23:30.*source\.naive: utc"):
        sql(labels=labels).batches("labels", UNTIL, Path("."))
    source = sql(labels=labels, naive="utc")
    (ref,) = source.batches("labels", UNTIL, Path("."))
    assert (ref.date.day, source.read(ref)["known_at"].to_pylist()) == (1, [at(1, 23.5)])


def test_the_source_cannot_write(bank: Bank) -> None:
    from continual.sources._sql_connection import transaction

    with transaction(bank.url) as connection, pytest.raises(Exception, match=r"(?i)read-?only"):
        connection.exec_driver_sql("DELETE FROM outcomes")


def test_a_database_that_does_not_answer_refuses_no_batch_and_shows_no_password(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bank.answer((1, at(1), 0.1))
    (ref,) = sql().batches("predictions", UNTIL, Path("."))
    monkeypatch.setenv("LOANS_URL", "postgresql+psycopg://me:s3cret@127.0.0.1:1/bank")
    for call in (lambda: sql().batches("predictions", UNTIL, Path(".")), lambda: sql().read(ref)):
        with pytest.raises(SourceUnavailable, match=r"must answer.*127\.0\.0\.1:1/bank") as caught:
            call()
        assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("LOANS_URL", f"sqlite:///{tmp_path / 'gone.db'}")
    with pytest.raises(SourceUnavailable, match="is no file"):
        sql().read(ref)
    assert not (tmp_path / "gone.db").exists()


def test_chunks_bound_memory_and_join_numbers_but_not_text(bank: Bank) -> None:
    n = 20_000
    frame = pd.DataFrame({"record_key": [f"{i:06d}" for i in range(n)], "value": 1, "source": "s" * 200})
    frame["known_at"] = at(1).isoformat() if bank.lite else at(1)
    engine: Engine = bank.engine
    frame.to_sql("many", engine, index=False, chunksize=5000, method="multi")
    source = sql(labels={"table": "many", "watermark": "known_at"}, chunk_rows=500)
    (ref,) = source.batches("labels", UNTIL, Path("."))
    tracemalloc.start()
    table = source.read(ref)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert table.num_rows == n
    assert peak < 2_500_000  # one chunk of Python objects, not 20,000 rows (about 9 MB)


def test_a_column_of_several_kinds_is_named(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    if not database_url.startswith("sqlite"):
        pytest.skip("only SQLite lets a column hold several kinds")
    monkeypatch.setenv("LOANS_URL", database_url)
    bank = Bank(database_url)
    bank.answer((1, at(1), 0.1), (2, at(1), 0.2))
    bank.run('UPDATE "Loan Answers" SET income = \'much\' WHERE "Application Id" = 2')
    for size in (1, 10):
        with pytest.raises(BatchError, match=r"'income' must hold one kind of value.*source\.query"):
            rows(sql(chunk_rows=size), 1)
