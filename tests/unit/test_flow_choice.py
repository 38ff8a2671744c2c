"""Which candidate goes to the gate, which batch is judged again, who holds the lease, which rows may judge."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from continual.core.window import Window
from continual.flows.evaluate import Trained, choose
from continual.flows.ingest import _due
from continual.flows.training_rows import unseen
from continual.flows.workspace import Workspace
from continual.settings import Settings
from continual.sources.base import BatchRef
from continual.stores.batches import Batch

AS_OF = datetime(2024, 1, 2, tzinfo=UTC)
LATER = datetime(2024, 1, 5, tzinfo=UTC)


def workspace(higher_is_better: bool, *trainers: str) -> Any:
    primary = SimpleNamespace(higher_is_better=higher_is_better)
    policy = SimpleNamespace(primary=primary, trainers=[SimpleNamespace(name=name) for name in trainers])
    return SimpleNamespace(policy=policy)


@pytest.mark.parametrize(
    ("higher", "values", "chosen"),
    [
        (True, {"a": 0.7, "b": 0.8}, "b"),
        (False, {"a": 0.7, "b": 0.8}, "a"),
        (True, {"a": None, "b": 0.1}, "b"),
        (False, {"a": None, "b": 0.9}, "b"),
        (True, {"b": 0.8, "a": 0.8}, "a"),
        (True, {"b": None, "a": None}, "a"),
    ],
)
def test_the_best_forward_validation_is_chosen_undefined_last_ties_by_the_policy(
    higher: bool, values: dict[str, float | None], chosen: str
) -> None:
    candidates = [Trained(str(i), name, value) for i, (name, value) in enumerate(values.items())]
    assert choose(workspace(higher, "a", "b"), candidates).trainer == chosen


def batch(state: str, as_of: datetime) -> Batch:
    return Batch("predictions", "2024-01-01.parquet", "hash", state, 0, 1, as_of)


@pytest.mark.parametrize(
    ("known", "window_day", "as_of", "due"),
    [
        (None, 4, LATER, True),
        (batch("appended", AS_OF), 1, AS_OF, False),
        (batch("superseded", AS_OF), 4, LATER, True),
        (batch("quarantined", AS_OF), 1, LATER, True),
        (batch("quarantined", AS_OF), 4, LATER, False),
        (batch("quarantined", LATER), 4, LATER, True),
    ],
)
def test_s02_a_refused_batch_is_judged_again_by_its_own_runs_only(
    known: Batch | None, window_day: int, as_of: datetime, due: bool
) -> None:
    ref = BatchRef("predictions", "2024-01-01.parquet", date(2024, 1, 1), "", "hash", 1)
    start = datetime(2024, 1, window_day, tzinfo=UTC)
    window = Window(start, start.replace(day=window_day + 1))
    assert _due(ref, known, window, as_of) is due


def test_s09_rows_of_any_training_set_are_left_out_and_the_rest_numbered_anew() -> None:
    frame = pd.DataFrame({"record_key": ["a", "b", "c", "d"], "x": range(4)})
    trained = [pd.DataFrame({"record_key": ["b"]}), pd.DataFrame({"record_key": ["d", "z"]})]
    kept = unseen(frame, trained)
    assert kept["record_key"].tolist() == ["a", "c"] and kept.index.tolist() == [0, 1]
    assert unseen(frame, []).equals(frame)


def _open(run: str) -> Workspace:
    loaded: Any = SimpleNamespace(policy=None)
    return Workspace(Settings.from_environment({"CONTINUAL_HOME": str(Path("x"))}), loaded, run)


def test_s32_a_task_keeps_its_lease_over_retries_and_two_prompts_are_two_holders() -> None:
    assert _open("dag run task").holder == _open("dag run task").holder == "dag run task"
    one = _open("cli")
    assert one.holder == one.holder != _open("cli").holder
