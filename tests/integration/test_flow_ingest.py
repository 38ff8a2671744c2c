"""Batches from folder to log or quarantine: real Great Expectations, Iceberg and SQLite."""

from __future__ import annotations

import json

import flow_kill
import numpy as np
import pandas as pd
import pytest
from flow_loans import ROWS, applications, day, days, labels
from flow_world import Stages, World, refused

from continual.errors import BatchError, Skipped, StoreError
from continual.flows import ingest

pytestmark = pytest.mark.integration


def states(world: World) -> dict[str, str]:
    """name -> state of every batch of predictions, the newest record of a name last."""
    return {b.name: b.state for b in world.ws().batches.batches(stream="predictions")}


def open_items(world: World) -> list[tuple[str, int]]:
    return [(item.reason, item.n_rows) for item in world.ws().batches.items(state="open")]


def keys(world: World) -> list[str]:
    return list(world.ws().log.read_predictions(days(0, 30), day(30))["record_key"])


def test_s01_an_empty_file_is_refused_and_nothing_enters_the_log(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0, rows=world.served(0).iloc[:0])
    refused(lambda: world.ingest(0, 1), BatchError, "2024-01-01.parquet: .*the batch is empty")
    assert states(world) == {"2024-01-01.parquet": "quarantined"}
    assert keys(world) == []


def test_infinite_features_are_set_aside_and_the_item_says_every_reason(stages: Stages) -> None:
    world = stages("empty")
    rows = world.served(0)
    rows.loc[rows.index[[3, 4]], "bureau"] = [np.inf, -np.inf]
    rows.loc[rows.index[5], "record_key"] = " "
    world.deliver(0, rows=rows)
    world.ingest(0, 1)
    logged = world.ws().log.read_predictions(days(0, 1), day(1))
    assert len(logged) == ROWS - 3 and np.isfinite(logged["bureau"]).all()
    ((reason, n),) = open_items(world)
    assert n == 3 and reason.startswith("bureau: infinite; deliver null where nothing is known [2]; ")
    assert reason.endswith("; record_key: null or blank [1]")


def test_nothing_delivered_is_a_skip_with_a_reason(stages: Stages) -> None:
    world = stages("empty")
    refused(lambda: world.ingest(0, 1), Skipped, "no new batch until 2024-01-02")


def test_s02_a_refused_batch_stops_publish_and_keeps_the_good_ones(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.deliver(0, "labels")
    bad = world.served(1).rename(columns={"income": "salary"})
    world.deliver(1, rows=bad)
    refused(lambda: world.ingest(0, 2), BatchError, "2024-01-02.parquet.*income")
    assert states(world) == {"2024-01-01.parquet": "appended", "2024-01-02.parquet": "quarantined"}
    assert len(keys(world)) == ROWS
    assert [n for _, n in open_items(world)] == [ROWS]
    kept = world.ws().log.read_quarantine()
    assert len(kept) == ROWS and kept["row_json"].str.contains('"salary"').all()


def test_s02_a_corrected_file_under_the_same_name_supersedes_the_refused_one(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0, rows=world.served(0).drop(columns="bureau"))
    refused(lambda: world.ingest(0, 1), BatchError, "bureau")
    world.deliver(0)
    assert "grew" in world.ingest(0, 1).reason
    assert {b.state for b in world.ws().batches.batches(name="2024-01-01.parquet")} == {"superseded", "appended"}
    assert open_items(world) == []
    assert len(keys(world)) == ROWS


def test_s02_rows_set_aside_are_settled_once_a_corrected_file_brings_them(stages: Stages) -> None:
    world = stages("champion")
    rows = world.served(24)
    wrong = rows.assign(prediction=rows["prediction"].where(rows.index >= 2, 7.0))
    world.deliver(24, rows=wrong)
    world.ingest(24, 25)
    assert [n for _, n in open_items(world)] == [2]
    without = rows.drop(index=rows.index[0])  # says nothing of one of the two
    world.deliver(24, rows=without)
    world.ingest(24, 25)
    assert [n for _, n in open_items(world)] == [2]
    still = rows.assign(prediction=rows["prediction"].where(rows.index >= 1, 7.0))
    world.deliver(24, rows=still)
    world.ingest(24, 25)
    assert [n for _, n in open_items(world)] == [1]
    world.deliver(24, rows=rows)
    world.ingest(24, 25)
    assert open_items(world) == []
    assert sorted(i.state for i in world.ws().batches.items()) == ["superseded", "superseded"]


def test_s02_one_refused_file_fails_its_own_run_and_not_every_later_one(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0, rows=world.served(0).drop(columns="bureau"))
    refused(lambda: world.ingest(0, 1), BatchError, "bureau")
    world.deliver(1)
    validated = ingest.validate(world.ws(), days(1, 2), day(2))
    assert validated.data["refused"] == []
    assert "1 refused before still wait for a correction: 2024-01-01.parquet" in validated.reason
    assert "grew" in world.ingest(1, 2).reason
    refused(lambda: world.ingest(0, 1), BatchError, "bureau")  # its own run, cleared, still fails
    refused(lambda: world.ingest(2, 3), Skipped, "1 refused before still wait")


def test_s02_a_batch_passes_when_the_policy_is_corrected_and_its_run_cleared(stages: Stages) -> None:
    world = stages("empty")
    world.edit("max_value: 10}", "max_value: 0.5}")
    world.deliver(0)
    refused(lambda: world.ingest(0, 1), BatchError, "income")
    assert [n for _, n in open_items(world)] == [ROWS]
    world.edit("max_value: 0.5}", "max_value: 10}")
    world.ingest(0, 1)
    assert states(world) == {"2024-01-01.parquet": "appended"}
    assert open_items(world) == []
    assert [item.state for item in world.ws().batches.items()] == ["replayed"]


def test_single_bad_rows_are_set_aside_and_counted(stages: Stages) -> None:
    world = stages("empty")
    rows = world.served(0)
    rows.loc[:4, "prediction"] = 2.0
    world.deliver(0, rows=rows)
    world.ingest(0, 1)
    assert len(keys(world)) == ROWS - 5
    (batch,) = world.ws().batches.batches()
    assert (batch.rows, batch.rows_quarantined) == (ROWS - 5, 5)
    assert [n for _, n in open_items(world)] == [5]


def test_s06_a_file_delivered_twice_under_another_name_changes_nothing(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.ingest(0, 1)
    before = world.dump()
    world.deliver(0, name="-copy")
    refused(lambda: world.ingest(1, 2), Skipped, "no new batch")
    assert world.dump() == before


def test_s06_the_same_rows_in_other_bytes_change_no_row(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.ingest(0, 1)
    before = keys(world)
    world.deliver(0, rows=world.served(0).sample(frac=1, random_state=1), name="-again")
    validated = ingest.validate(world.ws(), days(1, 2), day(2))
    outcome = ingest.append(world.ws(), validated.data["accepted"], day(2))
    assert outcome.reason.startswith("appended 0 predictions, 300 known already")
    assert keys(world) == before and len(set(before)) == ROWS
    assert open_items(world) == []


def test_s06_changed_content_for_a_known_key_is_a_conflict_set_aside_under_its_batch(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.ingest(0, 1)
    other = world.served(0)
    other.loc[:6, "income"] = 9.0
    world.deliver(0, rows=other, name="-changed")
    world.ingest(1, 2)
    read = world.ws().log.read_predictions(days(0, 1), day(30))
    assert len(read) == ROWS and (read["income"] != 9.0).all()
    (item,) = world.ws().batches.items(state="open")
    assert item.n_rows == 7 and "other content" in item.reason
    (changed,) = world.ws().batches.batches(id=item.batch_id)
    assert (changed.name, changed.rows_quarantined) == ("2024-01-01-changed.parquet", 7)


def test_s06_a_known_key_on_another_day_is_a_conflict_too(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.ingest(0, 1)
    taken = world.served(0)["record_key"].head(3).tolist()
    rows = world.served(1)
    rows.loc[:2, "record_key"] = taken
    world.deliver(1, rows=rows)
    world.ingest(1, 2)
    assert len(keys(world)) == len(set(keys(world))) == 2 * ROWS - 3
    assert open_items(world) == [("same record key, other content than the logged row", 3)]
    assert len(world.ws().log.read_predictions(days(0, 1), day(30))) == ROWS


def test_s61_hostile_keys_and_future_rows_are_set_aside_and_the_rest_goes_on(stages: Stages) -> None:
    world = stages("empty")
    rows = world.served(0)
    rows["record_key"] = ["a\x00b", "x" * 300, " ", *rows["record_key"].tolist()[3:]]
    rows.loc[3, "event_time"] = pd.Timestamp(day(1)) + pd.Timedelta(minutes=6)
    world.deliver(0, rows=rows)
    world.ingest(0, 1)
    assert len(keys(world)) == ROWS - 4
    reasons = world.ws().log.read_quarantine()["reasons"].str.cat(sep=" | ")
    for said in ("holds a control character", "longer than 255", "null or blank", "the instant of knowledge"):
        assert said in reasons


def test_s06_a_late_file_is_taken_in_and_known_only_from_then_on(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(1)
    world.ingest(1, 2)
    world.deliver(0)
    world.ingest(2, 3)
    log = world.ws().log
    assert len(log.read_predictions(days(0, 1), day(2))) == 0
    assert len(log.read_predictions(days(0, 1), day(3))) == ROWS


def test_s06_a_stray_file_stops_ingest_with_its_name(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    (world.home / "landing" / "predictions" / "notes.txt").write_text("?")
    refused(lambda: world.ingest(0, 1), BatchError, r"notes\.txt")
    assert keys(world) == []


def test_s08_rows_of_another_day_than_the_files_are_set_aside(stages: Stages) -> None:
    world = stages("empty")
    tomorrow = world.served(1).head(10)
    world.deliver(0, rows=pd.concat([world.served(0), tomorrow], ignore_index=True))
    world.ingest(0, 1)
    assert sorted(keys(world)) == sorted(applications(0)["record_key"])
    assert [n for _, n in open_items(world)] == [10]


def test_s12_conflicting_repeated_and_late_labels_are_settled_the_same_way_in_any_order(stages: Stages) -> None:
    found = []
    for order in ((0, 1, 2), (2, 1, 0)):
        world = stages("empty")
        world.deliver(0)
        truth = labels(0)
        files = [
            truth,
            truth.assign(value=1 - truth["value"], known_at=truth["known_at"].max(), source="court"),
            truth.assign(value=1 - truth["value"], source="agency").head(50),
        ]
        for position, number in enumerate(order):
            world.deliver(0, "labels", files[number], name=f"-{number}")
            world.ingest(position, position + 1)
        read = world.ws().log.read_labelled(days(0, 1), day(9))
        found.append(read[["record_key", "label"]].astype(str).values.tolist())
    assert found[0] == found[1]
    expected = 1 - truth.set_index("record_key")["value"]  # the court spoke last
    known = read.set_index("record_key")["label"].dropna()
    assert known.to_dict() == expected.to_dict()


def test_s06_running_a_window_again_changes_nothing_and_publishes_again(stages: Stages) -> None:
    world = stages("empty")
    world.deliver(0)
    world.deliver(0, "labels")
    world.ingest(0, 1)
    before = world.dump()
    assert "grew" in world.ingest(0, 1).reason  # cleared after append: what depends on the log must still hear of it
    assert world.dump() == before


def test_accepted_rows_that_are_gone_are_an_error_and_not_a_quiet_loss(stages: Stages) -> None:
    world = stages("empty")
    path = world.deliver(0)
    validated = ingest.validate(world.ws(), days(0, 1), day(1)).data["accepted"]
    for file in (world.home / "staging").rglob("*.parquet"):
        file.unlink()
    refused(lambda: ingest.append(world.ws(), validated, day(1)), StoreError, path.name)
    assert states(world) == {}


def _append(world: World) -> None:
    ingest.append(world.ws("loans.ingest x append"), json.loads((world.home / "accepted.json").read_text()), day(2))


def test_s59_append_killed_after_any_write_loses_and_doubles_no_row(stages: Stages) -> None:
    """Finished by the task's retry, or by its run cleared from the start (every other place)."""

    def validated() -> None:
        world = stages("empty")
        clash = world.served(0).assign(income=1.0).head(4)
        world.deliver(0)
        world.deliver(0, rows=pd.concat([clash, world.served(0).tail(20)], ignore_index=True), name="-b")
        world.deliver(1)
        for number in (0, 1):
            world.deliver(number, "labels")
        accepted = ingest.validate(world.ws(), days(0, 2), day(2)).data["accepted"]
        (world.home / "accepted.json").write_text(json.dumps(accepted))

    def again(world: World, writes: int) -> None:
        if writes % 2:
            _append(world)
            assert not list((world.home / "staging").rglob("*.parquet"))
        else:
            world.ingest(0, 2)
        # Four keys came with two contents: neither is guessed to be right
        assert world.logged() == (2 * ROWS - 4, len(labels(0)) + len(labels(1)))
        assert len(set(keys(world))) == 2 * ROWS - 4
        assert sorted(n for _, n in open_items(world)) == [4, 4]
        assert {b.state for b in world.ws().batches.batches()} == {"appended"}

    stages.add("validated", validated)
    assert flow_kill.kill_everywhere(lambda: stages("validated"), _append, again) == 13
