"""status, ledger and db on a real store: what is there, whether it holds, and that looking changes nothing."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from flow_loans import day
from flow_world import Stages, World
from typer.testing import CliRunner, Result

from continual.cli.main import app

pytestmark = pytest.mark.integration


def cli(world: World, *arguments: str) -> Result:
    env = {"CONTINUAL_HOME": str(world.home), "CONTINUAL_CONFIGS": str(world.settings.configs), "COLUMNS": "200"}
    return CliRunner().invoke(app, [*arguments], env=env)


def data(world: World, *arguments: str) -> Any:
    answer = cli(world, *arguments, "--json")
    assert answer.exit_code == 0, answer.stderr
    return json.loads(answer.stdout)


def sql(world: World, statement: str) -> None:
    with sqlite3.connect(world.home / "store" / "continual.db") as connection:
        connection.execute(statement)


def test_status_of_an_application_that_has_nothing_yet(stages: Stages) -> None:
    world = stages("empty")
    cli(world, "db", "upgrade")
    (one,) = data(world, "status")
    assert (one["champion"], one["previous"], one["decision"], one["ingested"], one["alarm"]) == (None,) * 5
    assert "deliver predictions and labels" in one["next"]


def test_status_follows_promotion_quarantine_alarm_and_rollback(stages: Stages) -> None:
    world = stages("promoted")
    (one,) = data(world, "status", "loans")
    assert (one["champion"], one["previous"], one["since"]) == ("2", "1", "2024-01-25T00:00:00+00:00")
    assert one["decision"]["kind"] == "champion" and "promote version 2 over 1" in one["decision"]["reason"]

    world.deliver(24, rows=world.served(24).drop(columns="bureau"))
    world.deliver(25)
    with pytest.raises(Exception, match="bureau"):
        world.ingest(24, 26)
    (one,) = data(world, "status")
    assert (one["open_items"], one["open_rows"]) == (1, 300)
    assert "`continual quarantine list loans`" in one["next"]

    ws = world.ws()
    ws.ledger.append("alarm", "alarm:2:2", day(26), "startups alarmed", {"champion": "2"}, ws.loaded.hash)
    text = cli(world, "status").stdout
    assert "startups alarmed" in text and "`continual rollback loans`" in text
    world.roll_back("2", day(26))
    (one,) = data(world, "status")
    assert (one["champion"], one["alarm"]) == ("1", None)
    assert "roll back from version 2 to 1" in one["decision"]["reason"]


def test_s50_status_says_that_the_last_good_policy_is_in_force(stages: Stages) -> None:
    world = stages("promoted")
    good = data(world, "status")[0]["policy"]
    world.edit("kind: graded", "kind: graaded")
    (one,) = data(world, "status")
    assert one["policy"] == good
    assert "graaded" in one["problem"] and "line" in one["problem"]
    assert one["next"].startswith("correct loans.yaml (`continual check loans`)")


def test_a_verdict_that_waits_for_a_person_is_what_comes_next(stages: Stages) -> None:
    world = stages("judged")
    world.edit("mode: auto", "mode: approve")
    assert "answer the approve task of loans.retrain: Promoted" in data(world, "status")[0]["next"]


def test_looking_changes_nothing(stages: Stages) -> None:
    world = stages("promoted")
    before = world.dump()
    files = sorted(path for path in world.home.rglob("*") if "store" not in path.parts)
    for command in (["status"], ["ledger", "show"], ["ledger", "verify"], ["ledger", "replay"], ["db", "check"]):
        assert cli(world, *command).exit_code == 0
    assert world.dump() == before
    assert sorted(path for path in world.home.rglob("*") if "store" not in path.parts) == files


def test_the_ledger_is_shown_by_kind_instant_and_number(stages: Stages) -> None:
    world = stages("promoted")
    everything = data(world, "ledger", "show", "--limit", "1000")
    assert [e["seq"] for e in everything] == list(range(1, len(everything) + 1))
    assert [e["seq"] for e in data(world, "ledger", "show", "-n", "2")] == [e["seq"] for e in everything[-2:]]
    assert {e["kind"] for e in data(world, "ledger", "show", "--kind", "verdict")} == {"verdict"}
    late = data(world, "ledger", "show", "--since", "2024-01-25")
    assert late == [e for e in everything if e["as_of"] >= "2024-01-25"] != everything
    assert everything[-1]["reason"][:40] in cli(world, "ledger", "show").stdout
    assert "kinds there are: champion, evaluation" in cli(world, "ledger", "show", "--kind", "verdicts").stdout


def test_verify_names_the_entry_that_was_changed(stages: Stages) -> None:
    world = stages("promoted")
    (one,) = data(world, "ledger", "verify")
    assert one["verified"] and one["entries"] == len(world.ws().ledger.entries())
    sql(world, "UPDATE decision SET reason = 'all was well' WHERE seq = 3")
    broken = cli(world, "ledger", "verify")
    assert broken.exit_code == 1
    assert "first broken at seq 3" in broken.stderr


def test_every_verdict_is_derived_again_without_a_model(stages: Stages) -> None:
    world = stages("promoted")
    found = data(world, "ledger", "replay")
    assert [(one["candidate"], one["answer"], one["same"]) for one in found] == [
        ("1", "promote", True),
        ("2", "promote", True),
    ]


def test_a_verdict_that_does_not_follow_from_its_evidence_is_found(stages: Stages) -> None:
    world = stages("promoted")
    sql(
        world,
        """UPDATE decision SET evidence = json_set(evidence, '$.verdict.answer', 'reject')
        WHERE kind = 'verdict' AND evidence ->> '$.candidate' = '2'""",
    )
    answer = cli(world, "ledger", "replay")
    assert answer.exit_code == 1
    assert "recorded reject, now promote" in answer.stdout
    assert "1 of 2 verdicts identical" in answer.stdout


def test_a_verdict_whose_policy_snapshot_or_evidence_is_gone_is_not_called_identical(stages: Stages) -> None:
    world = stages("promoted")
    for snapshot in (world.home / "policies" / "loans").glob("*.yaml"):
        snapshot.unlink()
    answer = cli(world, "ledger", "replay")
    assert answer.exit_code == 1
    assert "not derivable" in answer.stdout and "snapshot" in answer.stdout
    world = stages("promoted")
    sql(world, "UPDATE decision SET hash = 'x' WHERE kind = 'evaluation'")
    assert "has another hash" in cli(world, "ledger", "replay").stdout


def test_db_check_finds_another_schema_and_upgrade_makes_one(stages: Stages) -> None:
    world = stages("promoted")
    assert data(world, "db", "upgrade")["before"] == data(world, "db", "check")["revision"] == "0008"
    sql(world, "UPDATE continual_schema SET version_num = '9999'")
    answer = cli(world, "db", "check")
    assert answer.exit_code == 1
    assert "9999" in answer.stderr and "install the version" in answer.stderr
    (world.home / "store" / "continual.db").unlink()
    assert cli(world, "db", "check").exit_code == 1
    assert "from nothing to 0008" in cli(world, "db", "upgrade").stdout
