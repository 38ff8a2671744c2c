"""Datasets logged to one MLflow server by several trainings at once."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from continual.models.tracking import log_training_data

pytestmark = pytest.mark.integration
RIVALS, ROUNDS = 4, 6


def _log_all(uri: str, start: Any, failures: Any) -> None:
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("rivals")
    for number in range(ROUNDS):
        data = mlflow.data.from_pandas(pd.DataFrame({"a": [float(number)]}), source="rows.parquet", name="rows")
        with mlflow.start_run():
            start.wait(60)
            try:
                log_training_data(data, {"continual.seed": "0"})
            except Exception as error:
                failures.put(repr(error))


def test_s31_one_dataset_logged_by_many_runs_at_once_is_an_input_of_each(tmp_path: Path) -> None:
    """Without the second try most rounds refuse somebody (the barrier makes all insert at once)."""
    import mlflow

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("rivals", artifact_location=str(tmp_path))
    context = multiprocessing.get_context("spawn")
    start, failures = context.Barrier(RIVALS), context.Queue()
    rivals = [context.Process(target=_log_all, args=(uri, start, failures)) for _ in range(RIVALS)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join(120)
    assert [rival.exitcode for rival in rivals] == [0] * RIVALS
    assert failures.empty(), failures.get()
    runs = client.search_runs([experiment])
    assert len(runs) == RIVALS * ROUNDS
    assert all(len(run.inputs.dataset_inputs) == 1 for run in runs)
    assert len({run.inputs.dataset_inputs[0].dataset.digest for run in runs}) == ROUNDS
