"""Sources through the real ingest flow: tables, changed types, late and backfilled days."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from flow_loans import ROWS, applications, day, days, labels
from flow_world import Stages, World, refused
from sqlalchemy import create_engine

from continual.errors import BatchError, Skipped
from continual.flows import ingest
from continual.flows.replay_item import replay_item
from continual.sources.base import SourceUnavailable

pytestmark = pytest.mark.integration

SQL = """source:
  kind: sql
  url_env: LOANS_URL
  lag: 1h
  predictions: {table: answers, watermark: event_time}
  labels: {table: outcomes, watermark: known_at, constants: {source: payments}}
"""


class Bank:
    """The lender's own database, and a deployment that reads it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.engine = world, create_engine(f"sqlite:///{folder / 'bank.db'}")
        text = world.config.read_text()
        head, rest = text.split("source:\n")
        world.config.write_text(head + SQL + "features:" + rest.split("features:")[1])
        self.write("outcomes", labels(0).drop(columns="source"), "known_at")

    def write(self, table: str, rows: pd.DataFrame, instant: str = "event_time") -> None:
        dated = rows.assign(**{instant: [moment.isoformat() for moment in rows[instant]]})
        dated.to_sql(table, self.engine, index=False, if_exists="append")


@pytest.fixture
def bank(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bank:
    monkeypatch.setenv("LOANS_URL", f"sqlite:///{tmp_path / 'bank.db'}")
    return Bank(stages("empty"), tmp_path)


def keys(world: World) -> list[str]:
    return sorted(world.ws().log.read_predictions(days(0, 30), day(30))["record_key"])


def ingest_until(world: World, first: float, last: float) -> None:
    window = days(first, last)
    validated = ingest.validate(world.ws(), window, window.end)
    ingest.append(world.ws(), validated.data["accepted"], window.end)
    ingest.publish(world.ws(), validated.data["refused"], {})


def test_s06_a_table_is_read_day_by_day_and_a_late_row_once(bank: Bank) -> None:
    world, rows = bank.world, bank.world.served(0)
    bank.write("answers", rows.iloc[:-5])
    refused(lambda: ingest_until(world, 0, 1), Skipped, "nothing|no new batch")  # the day is over, its lag is not
    ingest_until(world, 0, 1.5)
    assert len(keys(world)) == ROWS - 5
    assert world.logged()[1] == len(labels(0))
    refused(lambda: ingest_until(world, 1, 1.6), Skipped, "no new batch")
    bank.write("answers", rows.tail(5))
    ingest_until(world, 1, 2)
    assert keys(world) == sorted(applications(0)["record_key"])
    assert world.logged()[0] == ROWS
    assert world.ws().batches.items(state="open") == []


def test_s06_a_table_changed_behind_us_contradicts_the_log_and_is_set_aside(bank: Bank) -> None:
    world = bank.world
    bank.write("answers", world.served(0).assign(prediction=0.5, model_version="1"))
    ingest_until(world, 0, 1.5)
    with bank.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE answers SET prediction = 0.75 WHERE record_key < '000-0007'")
    ingest_until(world, 1, 2)
    (item,) = world.ws().batches.items(state="open")
    assert item.n_rows == 7 and "other content" in item.reason
    assert set(world.ws().log.read_predictions(days(0, 1), day(30))["prediction"]) == {0.5}


def test_s06_a_feature_changed_in_the_table_after_it_was_logged_is_a_conflict(bank: Bank) -> None:
    world = bank.world
    bank.write("answers", world.served(0))
    ingest_until(world, 0, 1.5)
    with bank.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE answers SET bureau = bureau + 1 WHERE record_key = '000-0007'")
    ingest_until(world, 1, 2)
    (item,) = world.ws().batches.items(state="open")
    assert item.n_rows == 1 and "other content" in item.reason


def test_s52_a_database_that_is_down_refuses_no_batch(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    world = bank.world
    bank.write("answers", world.served(0))
    up = f"sqlite:///{bank.engine.url.database}"
    monkeypatch.setenv("LOANS_URL", "postgresql+psycopg://loans@127.0.0.1:1/bank")
    refused(lambda: ingest_until(world, 0, 1.5), SourceUnavailable, "must answer")
    assert world.ws().batches.batches() == []
    monkeypatch.setenv("LOANS_URL", up)
    ingest_until(world, 0, 1.5)
    assert len(keys(world)) == ROWS


@pytest.mark.parametrize("kind", ["folder", "sql"])
def test_s05_a_column_that_was_numbers_and_now_is_text_is_quarantined_with_a_sentence(
    stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("LOANS_URL", f"sqlite:///{tmp_path / 'bank.db'}")
    world = stages("empty")
    bank = Bank(world, tmp_path) if kind == "sql" else None
    for number in (0, 1):
        rows = world.served(number)
        rows = rows.assign(bureau=[f"EUR {value:.2f}" for value in rows["bureau"]]) if number else rows
        if bank:
            bank.write("answers", rows)
        else:
            world.deliver(number, rows=rows)
    refused(lambda: ingest_until(world, 0, 2.1), BatchError, "bureau: must hold number, holds text.*'EUR")
    assert len(keys(world)) == ROWS
    (item,) = world.ws().batches.items(state="open")
    assert item.n_rows == ROWS


def test_s05_a_text_tag_that_becomes_numbers_is_quarantined_and_the_log_goes_on(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.deliver(1, rows=world.served(1).assign(region=7))
    world.deliver(2)
    refused(lambda: world.ingest(0, 3), BatchError, "region: must hold text, holds number")
    assert len(keys(world)) == 2 * ROWS


@pytest.mark.parametrize("copies", [1, 60])  # more than a megabyte: pyarrow reads it in parts
def test_s05_rows_of_a_csv_with_text_among_numbers_are_set_aside_one_by_one(stages: Stages, copies: int) -> None:
    world = stages("empty")
    world.edit('"{date}*.parquet"', '"{date}*.csv"')
    many = pd.concat([applications(0)] * copies, ignore_index=True).drop(columns=["value", "known_at"])
    many = many.assign(record_key=[f"{i:07d}" for i in range(len(many))], model_version="1", prediction=0.5)
    wrong = many.assign(bureau=many["bureau"].astype(object))
    wrong.loc[len(wrong) - 1, "bureau"] = "n.k."
    path = world.home / "landing" / "predictions" / "2024-01-01.csv"
    wrong.to_csv(path, index=False)
    world.ingest(0, 1)
    assert keys(world) == list(many["record_key"])[:-1]
    (item,) = world.ws().batches.items(state="open")
    assert item.n_rows == 1 and "bureau: must hold a number" in item.reason
    (row,) = world.ws().log.read_quarantine(item.ref)["row_json"]
    assert '"bureau": "n.k."' in row
    refused(lambda: replay_item(world.ws(), item.id, "ann", day(2)), BatchError, "bureau")
    many.to_csv(path, index=False)  # the corrected file under its name
    world.ingest(0, 1)
    assert keys(world) == list(many["record_key"])


def test_s05_rows_of_a_mixed_csv_are_kept_and_replayed_once_the_column_is_named_text(stages: Stages) -> None:
    world = stages("empty")
    world.edit('"{date}*.parquet"', '"{date}*.csv"')
    many = pd.concat([applications(0)] * 60, ignore_index=True).drop(columns=["value", "known_at"])
    many = many.assign(record_key=[f"{i:07d}" for i in range(len(many))], model_version="1", prediction=0.5)
    many["region"] = ["7"] * (len(many) - 1) + ["north"]
    many.to_csv(world.home / "landing" / "predictions" / "2024-01-01.csv", index=False)
    refused(lambda: world.ingest(0, 1), BatchError, "'region' of 2024-01-01.csv.*source.text.*replay")
    (item,) = world.ws().batches.items(state="open")
    assert item.n_rows == len(many)
    world.edit("kind: folder", "kind: folder\n  text: [region]")
    assert replay_item(world.ws(), item.id, "ann", day(2)).data["appended"] == len(many)
    logged = world.ws().log.read_predictions(days(0, 30), day(30))
    assert sorted(logged["record_key"]) == list(many["record_key"])
    assert set(logged["region"]) == {"7", "north"}
    with pytest.raises(Skipped):
        world.ingest(0, 1)  # the same file brings nothing again


def test_s06_days_in_any_order_and_a_backfilled_old_day_end_in_the_same_log(stages: Stages) -> None:
    found = []
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        world = stages("empty")
        for position, number in enumerate(order):
            world.deliver(number)
            world.ingest(4 + position, 5 + position)
        read = world.ws().log.read_predictions(days(0, 30), day(30)).drop(columns="known_at")
        own = [c for c in read.columns if c not in ("batch_id",)]
        found.append(read[own].sort_values("record_key").astype(str).values.tolist())
        assert len(read) == 4 * ROWS
    assert found[0] == found[1]


def test_s06_listing_state_is_derived_and_a_lost_or_broken_one_changes_nothing(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.ingest(0, 1)
    before, caches = world.dump(), list((world.home / "cache" / "sources").glob("*.json"))
    assert caches
    for content in ("", '{"format": 1, "files": {"2024-01-01.parquet": 3}}', None):
        for cache in caches:
            cache.unlink(missing_ok=True) if content is None else cache.write_text(content)
        refused(lambda: world.ingest(1, 2), Skipped, "no new batch")
    assert world.dump() == before
