"""Training windows in a real retrain: candidates by forward validation, decayed weights, rows of a bad model."""

from __future__ import annotations

import numpy as np
import pytest
from flow_loans import POLICY, day, days
from flow_world import Stages, refused

from continual.core.window import Window
from continual.errors import NotEnoughData, PolicyError
from continual.flows import curate, train
from continual.models.registry import CHAMPION

pytestmark = pytest.mark.integration
WINDOW = "length: 8d, evaluation: 4d, min_rows: 500, max_hole: 2d"


def test_the_window_that_forecasts_best_is_used_and_the_ledger_says_by_how_much(stages: Stages) -> None:
    """`bureau` counts since day 10. Days 15 to 19 are forecast best by what came after the turn."""
    world = stages("champion")
    world.edit(WINDOW, WINDOW.replace("8d", "15d") + ", candidates: [{length: 4d}, {kind: expanding, half_life: 1d}]")
    found = curate.curate(world.ws(), day(24), "test")
    entry = world.ws().ledger.last("retrain")
    assert entry is not None
    own, short, decayed = entry.evidence["windows"]
    assert short["validation"] > own["validation"] + 0.02
    assert decayed["effective"] < decayed["n"] / 2
    assert entry.evidence["used"] in ("sliding 4d", "expanding, half-life 1d") and "forward validation" in found.reason
    dataset = world.ws().datasets.get(found.data["dataset"])
    assert dataset.spec.window.end == day(19)
    assert curate.curate(world.ws(), day(24), "again").data == found.data


def test_decayed_weights_reach_the_dataset_the_fit_and_mlflow(stages: Stages) -> None:
    world = stages("champion")
    world.edit(WINDOW, WINDOW + ", half_life: 1d")
    made = curate.curate(world.ws(), day(24), "test")
    rows = world.ws().datasets.load(made.data["dataset"])
    assert (
        rows["sample_weight"].mean() == pytest.approx(1)
        and rows["sample_weight"].max() / rows["sample_weight"].min() > 100
    )
    assert "weighted, worth" in made.reason
    version = train.train(world.ws(), made.data["dataset"], "boosting").data["version"]
    run = world.registry.client.get_run(world.registry.version(version).run_id)
    assert float(run.data.params["effective_rows"]) < len(rows) / 2


def test_a_pipeline_that_takes_no_weights_is_refused(stages: Stages) -> None:
    world = stages("champion")
    text = POLICY.replace(WINDOW, WINDOW + ", half_life: 1d").replace("params: {max_iter: 30, max_leaf_nodes: 8}", "")
    text = text.replace("sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.neighbors.KNeighborsClassifier")
    world.config.write_text(text)
    made = curate.curate(world.ws(), day(24), "test")
    refused(lambda: train.train(world.ws(), made.data["dataset"], "boosting"), PolicyError, "row weights")


def test_s46_rows_that_a_quarantined_model_served_are_left_out_if_the_policy_says_so(stages: Stages) -> None:
    """Version 2 serves from day 24 and turns out bad."""
    world = stages("promoted")
    world.log(24, 34)
    world.registry.set_alias(CHAMPION, "1")
    ws = world.ws()
    curate.reconcile(ws, day(34))  # moved by hand: adopted
    ws.versions.quarantine_version("2", "broken")
    world.edit("max_iter: 30", "max_iter: 31")  # another lineage
    kept = curate.curate(world.ws(), day(34), "test")
    served = world.ws().log.read_predictions(Window(day(21), day(29)), day(34))
    own = (served["model_version"] == "2").to_numpy()
    assert own.sum() == 5 * 300
    inside = world.ws().datasets.load(kept.data["dataset"])["record_key"]
    assert np.isin(served["record_key"][own], inside).all()
    world.edit(WINDOW, WINDOW + ", leave_out_quarantined_models: true")
    refused(lambda: curate.curate(world.ws(), day(34), "test"), NotEnoughData, "gap")  # said, not silently short
    world.edit("max_hole: 2d", "max_hole: 6d")
    left = curate.curate(world.ws(), day(34), "test")
    assert "1,500 rows left out: quarantined version 2 served them" in left.reason
    without = world.ws().datasets.load(left.data["dataset"])["record_key"]
    assert not np.isin(served["record_key"][own], without).any()
    assert days(21, 29).start == world.ws().datasets.get(left.data["dataset"]).spec.window.start
