"""Forgetting people and old days: log, quarantine, datasets, ledger; killed anywhere, finished by the same call."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import flow_kill
import numpy as np
import pandas as pd
import pytest
from flow_loans import ROWS, day, days
from flow_world import Stages, World, refused

from continual.core.labelling import Answer, Task
from continual.errors import Skipped
from continual.flows import erase
from continual.flows.label_desk import desk_of, queue_of, reading_of
from continual.flows.weights import requests_of
from continual.labelers._files import write_tasks
from continual.stores.datasets import DatasetSpec
from continual.stores.requests import Draw

pytestmark = pytest.mark.integration
#: Besides the writes of promotion and ingest; children import this module before they count.
flow_kill.WRITES = (
    *flow_kill.WRITES,
    ("continual.stores.erasure", "ErasureStore", "record"),
    ("continual.stores.erasure", "ErasureStore", "shrink_items"),
    ("continual.stores.datasets", "DatasetStore", "_write_file"),
    ("continual.stores.log_erase", "LogErasure", "erase"),
    ("continual.stores.label_erase", "LabelErasure", "erase"),
)
KEYS = ["000-0001", "000-0150", "001-0002", "000-0003"]


def _build(stages: Stages) -> None:
    """Two days, labels, one quarantined row of a key, and a dataset of the first day."""
    world = stages("empty")
    world.deliver(0, rows=world.served(0).assign(prediction=lambda f: f["prediction"].where(f.index != 3, 2.0)))
    world.deliver(1)
    for number in (0, 1):
        world.deliver(number, "labels")
    world.ingest(0, 2)
    _dataset(world)
    _asked(world)


def _asked(world: World) -> None:
    """Every row of the first day was in a draw, two were chosen and answered, a person holds one of them."""
    ws = world.ws()
    keys = ws.log.read_labelled(days(0, 1), day(2), ["record_key"])["record_key"].tolist()
    chosen = np.isin(keys, ["000-0001", "000-0002"])
    requests_of(ws).record(Draw(days(0, 1), day(2), "uniform"), keys, np.full(len(keys), 0.5), chosen)
    queue_of(ws).lease("anna", 5, timedelta(days=9))
    queue_of(ws).record([Answer(key, "ben", 1.0, day(2)) for key in ("000-0001", "000-0002")])
    offer = [Task(key, {"income": 1.0}) for key in ("000-0001", "000-0002")]
    write_tasks(desk_of(ws).folder / "tasks.csv", offer, ws.policy.question)


def _dataset(world: World) -> str:
    ws = world.ws()
    rows = ws.log.read_labelled(days(0, 1), day(2), ["record_key", "income"])
    spec = DatasetSpec("train", days(0, 1), day(2), tuple(rows.columns), str(ws.log.snapshot_id("predictions")))
    return ws.datasets.save(spec, rows).id


def _act(world: World) -> Any:
    return erase.erase(world.ws("loans.erase x"), KEYS, "asked by the people concerned", day(3))


@pytest.fixture
def delivered(stages: Stages) -> World:
    stages.add("asked and answered", lambda: _build(stages))
    return stages("asked and answered")


def _assert_erased(world: World) -> None:
    ws = world.ws()
    left = ws.log.read_predictions(days(0, 9), day(9))["record_key"]
    assert len(left) == 2 * ROWS - 4 and not left.isin(KEYS).any()
    assert not ws.log.read_labels(None, day(9))["record_key"].isin(KEYS).any()
    assert len(ws.log.read_quarantine()) == 0
    assert [(i.n_rows, i.state) for i in ws.batches.items()] == [(0, "discarded")]
    found = erase._store(ws).read()
    assert [(str(e.day), e.n_rows, e.kind) for e in found] == [("2024-01-01", 2, "erase"), ("2024-01-02", 1, "erase")]
    (dataset,) = ws.datasets.all()
    assert (dataset.n_erased, dataset.reproducible) == (2, False)
    assert not ws.datasets.load(dataset.id)["record_key"].isin(KEYS).any()
    assert len(requests_of(ws).read()) == ROWS - 1 - 2  # the third key of the first day was never logged
    assert reading_of(ws).answers()["key"].tolist() == ["000-0002"]
    assert reading_of(ws).counts() == {**reading_of(ws).counts(), "answered": 1, "leased": 1}
    tasks = (desk_of(ws).folder / "tasks.csv").read_text()
    assert "000-0002" in tasks and "000-0001" not in tasks
    written = json.dumps([entry.as_dict() for entry in ws.ledger.entries()], default=str)
    assert not [key for key in KEYS if key in written]
    assert [e.kind for e in ws.ledger.entries()] == ["erase_intent", "erase"]
    ws.ledger.verify()


def test_erasing_keys_leaves_counts_and_no_keys(delivered: World) -> None:
    outcome = _act(delivered)
    assert outcome.reason.startswith(
        "deleted 3 predictions, 4 labels, 1 quarantine, 2 label requests, 1 label answers, 1 label leases on 2 days, 1 "
        "datasets"
    )
    _assert_erased(delivered)
    before = delivered.dump()
    assert _act(delivered).reason == outcome.reason
    assert delivered.dump() == before
    nobody = lambda: erase.erase(delivered.ws(), ["nobody"], "asked", day(3))  # noqa: E731
    refused(nobody, Skipped, "no row of loans is meant")


def test_s59_an_erasure_killed_after_any_write_is_finished_by_the_same_call(stages: Stages, delivered: World) -> None:
    def again(world: World, writes: int) -> None:
        world.let_leases_run_out()
        _act(world)
        _assert_erased(world)

    assert flow_kill.kill_everywhere(lambda: stages("asked and answered"), _act, again) == 7


def test_retention_drops_whole_days_and_says_which(delivered: World) -> None:
    act = lambda: erase.expire(delivered.ws(), day(1.5), "kept for a day", day(3))  # noqa: E731
    assert "deleted 299 predictions" in act().reason
    ws = delivered.ws()
    assert requests_of(ws).read().empty and reading_of(ws).answers().empty
    assert set(ws.log.read_predictions(days(0, 9), day(9))["event_time"].dt.date.astype(str)) == {"2024-01-02"}
    assert [(str(e.day), e.n_rows, e.kind) for e in erase._store(ws).read()] == [("2024-01-01", 299, "retention")]
    before = delivered.dump()
    act()
    assert delivered.dump() == before


def test_old_snapshots_expire_but_those_of_datasets(delivered: World) -> None:
    ws = delivered.ws()
    wall = pd.Timestamp.now("UTC").to_pydatetime()
    ws.log.append_predictions(_late(delivered), "late")
    (kept,) = ws.datasets.snapshots()
    outcome = erase.expire_snapshots(ws, wall + pd.Timedelta(days=1))
    assert "1 kept for datasets" in outcome.reason
    assert len(ws.log.read_predictions(days(0, 9), day(9), snapshot_id=kept)) == 2 * ROWS - 1


def _late(world: World) -> Any:
    from continual.flows.log_rows import log_table

    return log_table(world.ws().policy, "predictions", world.served(5), "late", day(6))
