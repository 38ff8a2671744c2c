"""Quarantined model versions, released from the command line: a real MLflow server and SQLite."""

from __future__ import annotations

import pytest
from flow_loans import day
from flow_world import Stages, World, refused
from typer.testing import CliRunner, Result

from continual.cli.main import app
from continual.errors import Skipped
from continual.flows import curate

pytestmark = pytest.mark.integration


def release(world: World, version: str) -> Result:
    env = {
        "CONTINUAL_HOME": str(world.home),
        "CONTINUAL_CONFIGS": str(world.settings.configs),
        "MLFLOW_TRACKING_URI": world.settings.tracking_uri,
    }
    options = ["--reason", "the sensor was wrong", "--by", "ann"]
    return CliRunner().invoke(app, ["quarantine", "release", version, *options], env=env)


def test_s45_a_released_version_lets_its_lineage_be_trained_again(stages: Stages) -> None:
    world = stages("promoted")
    world.roll_back("2", day(25))
    refused(lambda: curate.curate(world.ws(), day(25), "test"), Skipped, "lineage must be free")
    wrong = release(world, "1")
    assert (
        wrong.exit_code == 1 and "version 1 of loans is champion" in wrong.stderr and "quarantined: 2" in wrong.stderr
    )
    assert release(world, "9").exit_code == 1

    before = world.dump()
    down = release(world.without_mlflow(), "2")
    assert down.exit_code == 1 and "MLflow" in down.stderr
    assert world.dump() == before

    for _ in range(2):
        done = release(world, "2")
        assert done.exit_code == 0 and "version 2 is released by ann: the sensor was wrong" in done.stdout
    assert world.ws().versions.get("2").state == "retired"
    assert world.registry.version("2").tags["continual.state"] == "retired"
    assert len(world.ws().ledger.entries(kind="released")) == 1
    assert world.champion() == "1"
    assert curate.curate(world.ws(), day(25), "test").data["trainers"] == ["boosting"]


def test_s45_a_version_that_goes_bad_again_is_released_again_only_by_a_person(stages: Stages) -> None:
    world = stages("promoted")
    world.roll_back("2", day(25))
    release(world, "2")
    world.roll_back("1", day(26), to="2")
    release(world, "1")
    world.roll_back("2", day(27), to="1")
    assert world.ws().versions.get("2").state == "quarantined"
    assert release(world, "2").exit_code == 0
    assert [e.evidence["version"] for e in world.ws().ledger.entries(kind="released")] == ["2", "1", "2"]
    world.check("1")


def test_a_release_asks_no_mlflow_that_may_be_another_deployments(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = stages("promoted")
    world.roll_back("2", day(25))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folders = ["--home", str(world.home), "--configs", str(world.settings.configs)]
    answer = CliRunner().invoke(app, ["quarantine", "release", "2", "--reason", "x", *folders])
    assert answer.exit_code == 1 and "no local stack runs on" in answer.stderr
    assert world.ws().versions.get("2").state == "quarantined"
