"""`make demo` tells the whole story; what it left is read from outside, with fresh readers on its files."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from story_process import Told, tell

from continual.stores.champions import ChampionHistory
from continual.stores.database import open_database
from continual.stores.ledger import Ledger

pytestmark = pytest.mark.e2e
CHAPTERS = 7
GIB = 2**30
#: A task that never started says nothing: the one before it, which did not go on, does.
RAN = "ti.start_date IS NOT NULL AND ti.try_number > 0"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Told:
    told = tell(tmp_path_factory.mktemp("story") / "home")
    assert told.code == 0, told.output[-6000:]
    return told


@pytest.fixture(scope="module")
def ledger(story: Told) -> Ledger:
    return Ledger(open_database(f"sqlite:///{story.home}/store/continual.db"), "flights")


def _query(path: Path, sql: str) -> pd.DataFrame:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return pd.read_sql_query(sql, connection)


def _airflow(story: Told, sql: str) -> pd.DataFrame:
    return _query(story.home / "airflow" / "airflow.db", sql)


def _store(story: Told, sql: str) -> pd.DataFrame:
    return _query(story.home / "store" / "continual.db", sql)


def test_every_chapter_held(story: Told) -> None:
    assert len(re.findall(r"^ +held \(\d+ s\): .{20,}", story.output, re.MULTILINE)) == CHAPTERS
    assert "DID NOT HOLD" not in story.output
    assert "hash chain verified" in story.output


def test_it_fits_a_laptop(story: Told) -> None:
    print(f"{story.seconds:.0f} s, peak {story.peak / GIB:.2f} GiB, disk {story.disk / GIB:.2f} GiB")
    assert 0.5 * GIB < story.peak <= 4 * 10**9  # less would mean that the processes were not seen
    assert story.disk < GIB


def test_alias_ledger_and_history_agree_on_one_champion(story: Told, ledger: Ledger) -> None:
    assert ledger.verify() > 20
    aliases = _query(story.home / "mlflow" / "mlflow.db", "SELECT alias, version FROM registered_model_aliases")
    served = dict(zip(aliases["alias"], map(str, aliases["version"]), strict=True))
    states = _store(story, "SELECT version, state FROM model_version")
    last = ledger.last("champion")
    current = ChampionHistory(ledger.db, "flights").current()
    assert last is not None
    assert current is not None
    assert states.loc[states["state"] == "champion", "version"].tolist() == [served["champion"]] == ["5"]
    assert (last.evidence["target"], current.version, current.decision_key) == ("5", "5", last.key)
    assert states.loc[states["state"] == "quarantined", "version"].tolist() == ["4"]
    moves = [(e.evidence["kind"], e.evidence["target"]) for e in ledger.entries(kind="champion")]
    assert moves == [("bootstrap", "1"), ("promote", "2"), ("promote", "4"), ("rollback", "2"), ("promote", "5")]


def test_s28_every_task_that_ran_says_why_it_ended_as_it_did(story: Told) -> None:
    found = _airflow(
        story,
        f"""SELECT ti.dag_id, ti.task_id, ti.map_index, ti.state, x.value AS reason FROM task_instance ti
        LEFT JOIN xcom x ON x.dag_id = ti.dag_id AND x.run_id = ti.run_id AND x.task_id = ti.task_id
        AND x.map_index = ti.map_index AND x.key = 'reason' WHERE {RAN}""",
    )
    assert len(found) > 60
    assert set(found["state"]) == {"success", "skipped"}
    silent = found[found["reason"].isna() | (found["reason"].str.len() < 20)]
    assert silent.empty, silent.to_string()
    assert found.loc[found["state"] == "skipped", "task_id"].tolist()


def test_a_task_that_did_not_run_stands_behind_one_that_skipped(story: Told) -> None:
    found = _airflow(
        story,
        f"""SELECT ti.dag_id, ti.run_id, ti.task_id, ti.state FROM task_instance ti WHERE NOT ({RAN})""",
    )
    assert set(found["state"]) == {"skipped"}
    skipped = _airflow(story, f"SELECT DISTINCT run_id FROM task_instance ti WHERE state = 'skipped' AND {RAN}")
    assert set(found["run_id"]) <= set(skipped["run_id"])


def test_every_task_links_to_the_page_of_its_model(story: Told) -> None:
    found = _airflow(
        story,
        "SELECT dag_id, task_id, value FROM xcom JOIN task_instance USING (dag_id, run_id, task_id, map_index) "
        "WHERE key = '_link_ModelVersionLink' AND state = 'success'",
    )
    port = json.loads((story.home / "ports.json").read_text())["mlflow"]
    page = f"http://127.0.0.1:{port}/#/models/flights"
    links = found["value"].map(json.loads)
    assert links.str.fullmatch(re.escape(page) + r"(/versions/\d+)?").all()
    about_one = found["task_id"].isin(["train", "evaluate", "judge", "promote", "verify", "roll_back"])
    assert about_one.sum() > 20
    assert links[about_one].str.contains("/versions/").all()
    versions = _query(story.home / "mlflow" / "mlflow.db", "SELECT version FROM model_versions WHERE name = 'flights'")
    assert set(links.str.extract(r"/versions/(\d+)")[0].dropna()) <= set(versions["version"].astype(str))


def test_the_evaluation_table_holds_both_models_on_every_slice_of_the_gate(story: Told, ledger: Ledger) -> None:
    rows = _store(story, "SELECT * FROM evaluation WHERE purpose = 'gate'")
    compared = [e for e in ledger.entries(kind="evaluation") if e.evidence["gate"]["champion"]]
    assert len(compared) >= 4
    for entry in compared:
        gate: dict[str, Any] = entry.evidence["gate"]
        own = rows[rows["decision_key"] == entry.key]
        assert set(own["model_version"]) == {gate["candidate"], gate["champion"]}
        per_model = own.groupby("model_version").apply(lambda f: sorted(zip(f["slice"], f["metric"], strict=True)))
        assert per_model.iloc[0] == per_model.iloc[1]
        assert {name for name, _ in per_model.iloc[0]} == set(gate["configured_slices"]) >= {"new_aircraft"}
        assert len(own) == 2 * 3 * len(gate["configured_slices"])
        for side in ("start", "end"):
            assert set(own[f"window_{side}"].str[:10]) == {gate["window"][side][:10]}
    assert (rows["value"].isna() == (rows["n_labelled"] == 0)).mean() > 0.9


def test_nothing_was_scheduled_today(story: Told) -> None:
    kinds = _airflow(story, "SELECT DISTINCT run_type FROM dag_run")["run_type"]
    assert set(kinds) == {"manual", "asset_triggered"}
    upcoming = _airflow(story, "SELECT next_dagrun_create_after AS at FROM dag WHERE dag_id = 'flights.ingest'")
    assert upcoming["at"].isna().all()


def test_s28_the_blocked_version_says_so_in_mlflow(story: Told) -> None:
    tags = _query(
        story.home / "mlflow" / "mlflow.db",
        "SELECT key, value FROM model_version_tags WHERE name = 'flights' AND version = 3",
    )
    found = dict(zip(tags["key"], tags["value"], strict=True))
    assert found["continual.verdict"] == "reject"
    assert "new_aircraft" in found["continual.blocking"]
