"""One candidate for a dataset and a recipe, however often and wherever training was killed: real MLflow."""

from __future__ import annotations

import flow_kill
import pandas as pd
import pytest
from flow_loans import day
from flow_world import Stages, World, refused

from continual.errors import StoreError
from continual.flows import curate, train

pytestmark = pytest.mark.integration


def test_s31_training_twice_makes_one_version_and_one_run(stages: Stages) -> None:
    world = stages("judged")
    dataset = world.ws().versions.get("2").dataset_id
    assert dataset is not None
    before = world.dump()
    again = train.train(world.ws(), dataset, "boosting")
    assert again.data["version"] == "2" and "already" in again.reason
    assert world.dump() == before


def _train(world: World) -> None:
    dataset = (world.home / "dataset").read_text()
    train.train(world.ws("loans.retrain x train"), dataset, "boosting")


@pytest.mark.parametrize("writes", [0, 1])
def test_s31_killed_between_logging_registering_and_recording_there_is_one_version(stages: Stages, writes: int) -> None:
    """0 writes: the run is logged, nothing registered. 1: registered in MLflow, unknown to the evaluation store."""
    world = stages("champion")
    made = curate.curate(world.ws(), day(24), "x").data
    (world.home / "dataset").write_text(made["dataset"])
    assert flow_kill.run(flow_kill.killed_after, writes, _train, world) == flow_kill.KILLED
    assert [v.version for v in world.ws().versions.versions()] == ["1"]
    _train(world)
    client = world.registry.client
    registered = {str(v.version): v.run_id for v in client.search_model_versions("name = 'loans'")}
    assert sorted(registered) == ["1", "2"]
    stored = world.ws().versions.get("2")
    assert stored.run_id == registered["2"]  # not the run of a second training
    assert world.judged(day(24))["answer"] == "promote"


def test_s31_two_trainings_at_once_end_with_the_first_version(stages: Stages) -> None:
    world = stages("champion")
    made = curate.curate(world.ws(), day(24), "x").data
    (world.home / "dataset").write_text(made["dataset"])
    both = [flow_kill.start(_train, world) for _ in range(2)]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    versions = world.registry.client.search_model_versions("name = 'loans'")
    assert sorted(str(v.version) for v in versions) == ["1", "2"]
    assert [v.version for v in world.ws().versions.versions()] == ["1", "2"]


def test_s31_a_killed_training_leaves_no_run_that_seems_to_run(stages: Stages) -> None:
    world = stages("champion")
    made = curate.curate(world.ws(), day(24), "x").data
    (world.home / "dataset").write_text(made["dataset"])
    assert flow_kill.run(_train_until_logging, world) == flow_kill.KILLED
    _train(world)
    client = world.registry.client
    experiment = client.get_experiment_by_name("loans")
    # one of the finished ones is `champion history`
    statuses = sorted(r.info.status for r in client.search_runs([experiment.experiment_id]))
    assert statuses == ["FINISHED", "FINISHED", "FINISHED", "KILLED"]


def _train_until_logging(world: World) -> None:
    import os

    import mlflow

    mlflow.log_input = lambda *a, **k: os._exit(flow_kill.KILLED)
    _train(world)


def test_a_dataset_file_with_other_rows_is_refused(stages: Stages) -> None:
    world = stages("champion")
    made = curate.curate(world.ws(), day(24), "x").data
    path = world.home / "datasets" / "loans" / f"{made['dataset']}.parquet"
    rows = pd.read_parquet(path)
    rows.assign(label=1 - rows["label"]).to_parquet(path, index=False)
    refused(lambda: train.train(world.ws(), made["dataset"], "boosting"), StoreError, "holds other rows")
