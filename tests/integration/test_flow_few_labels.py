"""Few labels in a real retrain: rows without one are learnt from and recorded, chosen ones weigh by their chance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from flow_loans import APP, POLICY, applications, day, days
from flow_world import Stages, World
from sklearn.metrics import roc_auc_score

from continual.flows import curate, dataset_query, dataset_verify, train, training_pool
from continual.flows.choose_window import validated
from continual.flows.log_rows import log_table
from continual.flows.training_rows import training_rows
from continual.flows.weights import INCLUSION, of_labelled, requests_of
from continual.models.artifact import score
from continual.policy.load import parse_policy
from continual.replay.contenders import Contender
from continual.replay.lab import Lab
from continual.replay.sandbox import Sandbox
from continual.replay.table import TableColumns, history_of
from continual.settings import Settings
from continual.stores.requests import Draw

pytestmark = pytest.mark.integration
#: One label in so many.
EVERY = 6
OPTION = "    self_training: {max_rows: 700}\n    steps:"


@pytest.fixture
def few(stages: Stages) -> World:
    """Days 10 to 24 logged, a sixth of the rows labelled."""
    return _logged(stages, lambda rows, n: np.arange(len(rows)) % EVERY == n % EVERY)


def _logged(stages: Stages, labelled: Callable[[pd.DataFrame, int], Any]) -> World:
    """labelled: rows of a day and its number -> (n,) which get one."""
    world = stages("empty")
    ws = world.ws()
    predictions, labels = [], []
    for n in range(10, 24):
        rows = applications(n)
        served = rows.drop(columns=["value", "known_at"]).assign(model_version=None, prediction=np.nan)
        told = rows.loc[labelled(rows, n), ["record_key", "value", "known_at"]].assign(source="people")
        predictions.append(log_table(ws.policy, "predictions", served, f"p{n}", day(n + 1)))
        labels.append(log_table(ws.policy, "labels", told, f"l{n}", day(n + 1)))
    ws.log.append_predictions(pa.concat_tables(predictions), "predictions")
    ws.log.append_labels(pa.concat_tables(labels), "labels")
    world.edit("min_rows: 500", "min_rows: 100")
    return world


def _chance(rows: pd.DataFrame) -> Any:
    return np.where(rows["sector"] == "startup", 0.9, 0.15)


def test_s13_windows_and_trainers_are_compared_on_rows_weighted_by_their_chance_of_a_label(stages: Stages) -> None:
    """Startups are asked about six times as often."""
    drawn = {n: np.random.default_rng(n).random(300) < _chance(applications(n)) for n in range(10, 24)}
    world = _logged(stages, lambda rows, n: drawn[n])
    world.edit("length: 8d", "length: 5d, candidates: [{length: 3d}]")
    world.edit("trainers:", "trainers:\n  - name: plain")
    ws, choices, as_of = world.ws(), world.ws().policy.window.choices, day(24)
    before = [c.validation for c in validated(ws, choices, day(19), as_of)]
    asked = Draw(days(10, 24), day(24) - timedelta(hours=1), "uncertainty")
    every = pd.concat([applications(n) for n in range(10, 24)], ignore_index=True)
    requests_of(ws).record(asked, every["record_key"].tolist(), _chance(every), np.concatenate(list(drawn.values())))
    found = [c.validation for c in validated(ws, choices, day(19), as_of)]
    assert all(abs(one - two) > 1e-4 for one, two in zip(before, found, strict=True))

    known = training_pool.read(ws, days(15, 19), as_of).frame
    rows = of_labelled(ws, known, days(15, 19), as_of)
    assert rows["record_key"].tolist() == known["record_key"].tolist()
    assert rows[INCLUSION].to_numpy() == pytest.approx(_chance(rows))
    startups = (rows["sector"] == "startup").to_numpy(dtype=float)
    assert startups.mean() > 0.45 and np.average(startups, weights=1 / rows[INCLUSION]) == pytest.approx(0.2, abs=0.05)

    dataset = curate.curate(ws, as_of, "test").data["dataset"]
    weighted = train.train(ws, dataset, "boosting").data["validation"]
    later = ws.datasets.load(dataset).sort_values(["event_time", "record_key"])
    cut = later["event_time"].quantile(0.8)
    past, later = later[later["event_time"] < cut], later[later["event_time"] >= cut]
    said = score(train.fit(ws, ws.policy.trainers[1], past), later, ws.policy.features.all)
    assert weighted == pytest.approx(roc_auc_score(later["label"], said, sample_weight=1 / _chance(later)))
    assert weighted != pytest.approx(roc_auc_score(later["label"], said), abs=1e-4)

    world.edit("length: 5d", "weigh_by_probability: true, length: 5d")
    rows = world.ws().datasets.load(curate.curate(world.ws(), as_of, "test").data["dataset"])
    assert rows["probability"].to_numpy() == pytest.approx(_chance(rows))
    assert rows["sample_weight"].to_numpy() == pytest.approx((1 / _chance(rows)) / (1 / _chance(rows)).mean())


def test_rows_without_a_label_train_and_the_record_says_so(few: World) -> None:
    few.edit("    steps:", OPTION)
    made = curate.curate(few.ws(), day(24), "test")
    assert "400 of 400 rows" in made.reason and "and 700 without a label" in made.reason
    ws, dataset = few.ws(), made.data["dataset"]
    rows = ws.datasets.load(dataset)
    known = rows["label"].notna()
    assert (known.sum(), (~known).sum()) == (400, 700) and rows["record_key"].is_unique
    assert rows["event_time"].max() < day(19) and rows["event_time"].min() >= day(11)
    assert np.ptp(np.bincount(rows.loc[~known, "event_time"].dt.day, minlength=20)[12:20]) < 60  # of all days alike
    assert dataset_query.shown(ws, dataset)["unlabelled"] == 700
    assert dataset_query.effective_size(rows) == 400
    assert dataset_verify.verify(ws, dataset).data["reproduced"]

    found = train.train(ws, dataset, "boosting")
    assert "rows without a label whose answer the teacher gave: 700 of 700" in found.reason
    run = few.registry.client.get_run(few.registry.version("1").run_id)
    assert {k: run.data.params[k] for k in ("rows", "rows_without_label", "rows_self_trained")} == {
        "rows": "400", "rows_without_label": "700", "rows_self_trained": "700 of 700",
    }  # fmt: skip
    assert train.train(few.ws(), dataset, "boosting").data == found.data
    assert set(training_rows(ws, "1")[0]["record_key"]) == set(rows["record_key"])  # none of them judges


def test_the_gate_judges_a_taught_candidate_as_ever_and_two_fits_are_one_model(few: World) -> None:
    few.edit("    steps:", OPTION)
    outcome = few.retrain(day(24))
    assert few.champion() == "1", outcome.reason
    ws = few.ws()
    rows = training_rows(ws, "1")[0]
    one, two = (train.fit(ws, ws.policy.trainers[0], rows) for _ in range(2))
    features = ws.policy.features.all
    said = one.predict_proba(rows[features])
    assert np.array_equal(said, two.predict_proba(rows[features]))
    teacher = train.fit(ws, ws.policy.trainers[0], rows[rows["label"].notna()])
    assert not np.array_equal(said, teacher.predict_proba(rows[features]))


def test_windows_are_compared_by_what_would_be_trained(few: World) -> None:
    few.edit("    steps:", OPTION)
    few.edit("max_hole: 2d", "max_hole: 4d, candidates: [{length: 4d, half_life: 1d}]")
    made = curate.curate(few.ws(), day(24), "test")
    entry = few.ws().ledger.last("retrain")
    assert entry is not None and len(entry.evidence["windows"]) == 2
    assert "forward validation" in made.reason and "without a label" in made.reason
    assert [w["n"] for w in entry.evidence["windows"]] == [250, 200]


def test_a_replay_learns_so_too_counts_no_label_for_it_and_reads_its_datasets_again(tmp_path: Path) -> None:
    table = pd.concat([applications(n) for n in range(24)], ignore_index=True)
    told = np.arange(len(table)) % EVERY == 0
    table.loc[~told, ["value", "known_at"]] = [np.nan, pd.NaT]
    text = POLICY.replace("    steps:", OPTION).replace("min_rows: 500", "min_rows: 100, half_life: 4d")
    text = text.replace("every_days: 14", "every_days: 5")
    policy = parse_policy(text, f"{APP}.yaml")
    history = history_of(table, policy.policy, TableColumns("event_time", "value", "known_at", "record_key"))
    lab, contender = Lab(history, tmp_path, Settings.from_environment({})), Contender("taught", policy)
    _, (played,) = lab.run([contender])
    assert played.retrains >= 2 and 0 < played.labels <= told.sum()
    ws = Sandbox.at(lab.sandbox(contender), lab.folder / "cache", lab.history, policy, lab.settings)
    rows = ws.datasets.load(ws.datasets.all()[-1].id)  # not the one that was held in memory
    known = rows["label"].notna()
    assert (~known).sum() == 700 and rows.loc[known, "sample_weight"].mean() == pytest.approx(1)
    entry = ws.ledger.last("retrain")
    assert entry is not None and "and 700 without a label" in entry.reason
