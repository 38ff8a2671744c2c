"""From a task to the MLflow page of the version it was about; computed on the worker, shown by the UI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class ModelVersionLink(BaseOperatorLink):  # type: ignore[misc]
    """The registered model version, or the registered model when the task was about none in particular."""

    @property
    def name(self) -> str:
        return "MLflow"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        application = ti_key.dag_id.rpartition(".")[0]
        base = f"{os.environ.get('MLFLOW_TRACKING_URI', '').rstrip('/')}/#/models/{application}"
        return f"{base}/versions/{operator.version}" if getattr(operator, "version", None) else base
