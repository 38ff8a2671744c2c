"""What MLflow's tracking server needs help with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.data.dataset import Dataset

#: Each try loses only against a rival that inserted meanwhile, and then finds the rival's row.
TRIES = 5


def log_training_data(data: Dataset) -> None:
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
            mlflow.log_input(data, context="training")
            return
        except MlflowException as error:
            if not left or "IntegrityError" not in str(error):
                raise
