"""Quarantined rows, settled from the command line: real Great Expectations, Iceberg and SQLite."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import flow_kill
import pandas as pd
import pytest
from flow_loans import ROWS, day, days, labels
from flow_world import Stages, World, refused
from typer.testing import CliRunner, Result

from continual.cli.main import app
from continual.errors import BatchError, Skipped
from continual.flows.replay_item import CONFLICT, replay_item

pytestmark = pytest.mark.integration
NOW = day(5)
ROW_CHECK = ("max_value: 10}", "max_value: 10}\n      severity: row")
WIDER = ("max_value: 10}", "max_value: 100}")


def cli(world: World, *arguments: str) -> Result:
    env = {
        "CONTINUAL_HOME": str(world.home),
        "CONTINUAL_CONFIGS": str(world.settings.configs),
        "MLFLOW_TRACKING_URI": world.settings.tracking_uri,
        "COLUMNS": "200",
    }
    return CliRunner().invoke(app, [*arguments], env=env)


def replay(world: World, item: str, *options: str) -> Result:
    return cli(world, "quarantine", "replay", item, "--as-of", NOW.isoformat(), "--by", "ann", *options)


def logged(world: World) -> pd.DataFrame:
    return world.ws().log.read_predictions(days(0, 30), day(30)).set_index("record_key")


def items(world: World, **equal: str) -> list[Any]:
    return world.ws().batches.items(**equal)


def open_item(world: World) -> str:
    (item,) = items(world, state="open")
    return str(item.id)


def three_rows_aside(stages: Stages) -> tuple[World, pd.DataFrame]:
    """Day 0 is in the log but for its first three rows, of an income that the policy does not allow."""
    world = stages("empty")
    world.edit(*ROW_CHECK)
    rows = world.served(0)
    rows.loc[:2, "income"] = [50.0, 60.0 + 1 / 3, 70.0]
    rows.loc[0, "sector"] = None
    world.deliver(0, rows=rows)
    world.ingest(0, 1)
    assert len(logged(world)) == ROWS - 3
    return world, rows.set_index("record_key")


def test_rows_enter_the_log_once_the_policy_allows_them(stages: Stages) -> None:
    world, delivered = three_rows_aside(stages)
    item = open_item(world)
    refusal = replay(world, item)
    assert refusal.exit_code == 1
    assert "all 3 rows of item" in refusal.stderr and "income: unexpected value" in refusal.stderr
    assert open_item(world) == item

    world.edit(*WIDER)  # three rows are fewer than the table must have: their batch had enough
    done = replay(world, item[:6], "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "item": item, "state": "replayed", "appended": 3, "identical": 0, "failing": 0, "left": None,
        "reason": "ann replayed 3 predictions rows: 3 appended",
    }  # fmt: skip
    back = logged(world).loc[["000-0000", "000-0001", "000-0002"]]
    assert back["income"].tolist() == [50.0, 60.0 + 1 / 3, 70.0]
    assert back["bureau"].tolist() == delivered["bureau"].tolist()[:3]  # to the last digit
    assert back["sector"].isna().tolist() == [True, False, False]
    assert set(back["known_at"]) == {pd.Timestamp(NOW)}
    assert len(logged(world)) == ROWS
    entry = world.ws().ledger.last("replayed")
    assert entry is not None and entry.evidence["by"] == "ann" and entry.as_of == NOW

    before = world.dump()
    again = replay(world, item)
    assert again.exit_code == 0 and "already replayed: ann replayed 3" in again.stdout
    assert world.dump() == before


def test_replayed_rows_and_a_late_correction_of_the_file_agree(stages: Stages) -> None:
    world, delivered = three_rows_aside(stages)
    world.edit(*WIDER)
    assert replay(world, open_item(world)).exit_code == 0
    world.deliver(0, rows=delivered.reset_index().iloc[::-1], name="-again")
    world.ingest(0, 1)
    assert len(logged(world)) == ROWS
    assert items(world, state="open") == []


def test_rows_that_still_fail_stay_with_their_present_reason(stages: Stages) -> None:
    world, _ = three_rows_aside(stages)
    world.edit("max_value: 10}", "max_value: 65}")
    first = open_item(world)
    done = replay(world, first)
    assert done.exit_code == 0
    assert f"2 appended, 1 still fail and wait in item {open_item(world)}" in done.stdout
    shown = json.loads(cli(world, "quarantine", "show", open_item(world), "--json").stdout)
    assert shown["batch"] == "2024-01-01.parquet"
    assert list(shown["reasons"]) == [
        "income: unexpected value (expect_column_values_to_be_between, min_value=-10, max_value=65)"
    ]
    assert json.loads(shown["sample"][0]["row_json"])["income"] == 70.0
    text = cli(world, "quarantine", "show", open_item(world)).stdout
    assert "2024-01-01.parquet" in text and "income: unexpected value" in text and '"income": 70.0' in text
    world.edit("max_value: 65}", "max_value: 100}")
    assert replay(world, open_item(world)).exit_code == 0
    assert len(logged(world)) == ROWS and items(world, state="open") == []


def test_s05_a_batch_with_a_renamed_column_enters_after_renaming_it_back(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0, rows=world.served(0).rename(columns={"income": "salary"}))
    refused(lambda: world.ingest(0, 1), BatchError, "income")
    item = open_item(world)
    answer = replay(world, item)
    assert answer.exit_code == 1 and "income: the column is missing" in answer.stderr
    answer = replay(world, item, "--rename", "salry=income")
    assert answer.exit_code == 1 and "salry did not come" in answer.stderr and "salary" in answer.stderr
    answer = replay(world, item, "--rename", "salary=bureau")
    assert answer.exit_code == 1 and "bureau came as well" in answer.stderr

    assert replay(world, item, "--rename", "salary=income").exit_code == 0
    pd.testing.assert_series_equal(
        logged(world)["income"], world.served(0).set_index("record_key")["income"], check_index=False
    )
    (batch,) = world.ws().batches.batches()
    assert (batch.state, batch.rows, batch.rows_quarantined) == ("appended", ROWS, 0)
    refused(lambda: world.ingest(1, 2), Skipped, "no new batch until 2024-01-03.")  # and no reminder
    world.deliver(0)
    world.ingest(0, 1)
    assert len(logged(world)) == ROWS


def test_s12_a_batch_of_labels_with_a_renamed_column_enters_too(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.deliver(0, "labels", rows=labels(0).rename(columns={"value": "paid"}))
    refused(lambda: world.ingest(0, 1), BatchError, "value")
    item = open_item(world)
    for _ in range(2):
        assert replay(world, item, "--rename", "paid=value").exit_code == 0
        assert len(world.ws().log.read_labels(None, NOW)) == len(labels(0))


def test_a_refused_batch_is_judged_as_a_batch_again(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0, rows=world.served(0).head(9))
    refused(lambda: world.ingest(0, 1), BatchError, "table: observed 9")
    assert "table: observed 9" in replay(world, open_item(world)).stderr
    world.edit("min_value: 10}", "min_value: 9}")
    assert replay(world, open_item(world)).exit_code == 0
    assert len(logged(world)) == 9


def test_rows_that_contradict_the_log_never_replace_it(stages: Stages) -> None:
    world = stages("empty")
    rows = world.served(0)
    world.deliver(0, rows=rows)
    world.ingest(0, 1)
    world.deliver(0, rows=rows.assign(income=rows["income"] + 1), name="-other")
    world.ingest(0, 1)
    answer = replay(world, open_item(world))
    assert answer.exit_code == 1 and CONFLICT in answer.stderr
    assert logged(world)["income"].tolist() == rows["income"].tolist()


class Killed(BaseException):
    """No `except Exception` holds it up."""


def killed_after(writes: int, act: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run `act` until this many writes to ledger, stores or log are done; False when it came to its end."""
    done = 0

    def fatal(write: Callable[..., Any]) -> Callable[..., Any]:
        def once(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            result = write(*arguments, **named)
            done += 1
            if done == writes:
                raise Killed
            return result

        return once

    with monkeypatch.context() as patch:
        for module, owner, method in flow_kill.WRITES:
            found = getattr(importlib.import_module(module), owner)
            patch.setattr(found, method, fatal(getattr(found, method)))
        try:
            act()
        except Killed:
            return True
    return False


def half_bad_rows(stages: Stages) -> World:
    """Of three rows aside two would pass now."""
    world = three_rows_aside(stages)[0]
    world.edit("max_value: 10}", "max_value: 65}")
    return world


def bad_batch(stages: Stages) -> World:
    """Refused whole; now all but three rows would pass."""
    world = stages("empty")
    world.edit(*ROW_CHECK)
    rows = world.served(0)
    rows.loc[:2, "income"] = 70.0
    world.deliver(0, rows=rows.drop(columns="region"))
    refused(lambda: world.ingest(0, 1), BatchError, "region")
    world.edit("tags: [region]", "tags: []")
    world.edit("  - {by: region}\n", "")
    return world


@pytest.mark.parametrize(("stage", "left"), [(half_bad_rows, 1), (bad_batch, 3)])
def test_s59_a_replay_killed_after_any_write_is_finished_by_the_next(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, stage: Callable[[Stages], World], left: int
) -> None:
    for writes in range(1, 50):
        world = stage(stages)
        item = open_item(world)
        alive = not killed_after(writes, partial(replay_item, world.ws(), item, "ann", NOW), monkeypatch)
        replay_item(world.ws(), item, "ann", NOW + timedelta(days=1))
        assert len(logged(world)) == ROWS - left
        assert [(i.n_rows, i.id != item) for i in items(world, state="open")] == [(left, True)]
        assert len(world.ws().ledger.entries(kind="replayed")) == 1
        assert [b.state for b in world.ws().batches.batches()] == ["appended"]
        world.ws().ledger.verify()
        if alive:
            break
    assert writes > 4


def test_an_item_is_given_up_and_ingest_stops_asking(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0, rows=world.served(0).drop(columns="bureau"))
    refused(lambda: world.ingest(0, 1), BatchError, "bureau")
    item = open_item(world)
    for _ in range(2):
        done = cli(world, "quarantine", "discard", item, "--reason", "test rows of the vendor", "--by", "ann")
        assert done.exit_code == 0 and "300 predictions rows discarded by ann: test rows of the vendor" in done.stdout
    answer = replay(world, item)
    assert answer.exit_code == 1 and "is discarded: a person gave it up" in answer.stderr
    assert "grew" in world.ingest(0, 1).reason  # the run that failed, cleared
    refused(lambda: world.ingest(1, 2), Skipped, "no new batch until 2024-01-03.")
    assert logged(world).empty
    assert len(world.ws().log.read_quarantine(item)) == ROWS
    assert len(world.ws().ledger.entries(kind="discarded")) == 1


def test_the_list_shows_open_items_and_with_all_the_settled(stages: Stages) -> None:
    world, _ = three_rows_aside(stages)
    shown = cli(world, "quarantine", "list").stdout
    assert open_item(world) in shown and "income: unexpected value" in shown
    world.edit(*WIDER)
    item = open_item(world)
    replay(world, item)
    assert "no open item" in cli(world, "quarantine", "list").stdout
    everything = json.loads(cli(world, "quarantine", "list", "--all", "--json").stdout)
    assert [(i["id"], i["state"], i["n_rows"]) for i in everything["items"]] == [(item, "replayed", 3)]
    unknown = cli(world, "quarantine", "show", "zzz")
    assert unknown.exit_code == 1 and "none does" in unknown.stderr


def test_a_home_that_was_moved_is_an_error_and_no_traceback(stages: Stages) -> None:
    world, _ = three_rows_aside(stages)
    item = open_item(world)
    shutil.rmtree(world.home / "store" / "warehouse")
    answer = cli(world, "quarantine", "show", item)
    assert answer.exit_code == 1
    assert "moved or copied" in answer.stderr
