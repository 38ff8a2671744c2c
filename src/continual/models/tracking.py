"""What MLflow's tracking server needs help with."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.data.dataset import Dataset

#: Each try loses only against a rival that inserted meanwhile, and then finds the rival's row.
TRIES = 5
#: Characters of a digest that MLflow's database takes.
DIGEST = 36


def training_data(rows: pd.DataFrame, name: str, dataset_id: str, source: str) -> Dataset:
    """The dataset as MLflow shows it; its digest is the beginning of the dataset's own id, which is a hash of its rows.
    MLflow's digest would be of a sample of them."""
    import mlflow.data

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The specified dataset source can be interpreted in multiple ways")
        return mlflow.data.from_pandas(rows, source=source, targets="label", name=name, digest=dataset_id[:DIGEST])


def log_training_data(data: Dataset, tags: Mapping[str, str]) -> None:
    """`mlflow.log_input` of the active run, also while another run logs the same dataset.

    MLflow looks a dataset up and then inserts it, without an upsert: of two at once the slower is refused with the
    database's integrity error (s31). Logging an input twice in a run changes nothing, so it is tried again.

    Raises
    ------
    mlflow.exceptions.MlflowException: anything else, or the same again and again.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    for left in reversed(range(TRIES)):
        try:
            mlflow.log_input(data, context="training", tags=dict(tags))
            return
        except MlflowException as error:
            if not left or "IntegrityError" not in str(error):
                raise
