"""From a task to what it was about: MLflow's version, the verdict, the slices, Data Docs. Computed on the worker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from continual.ui.addresses import Addresses

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class ModelVersionLink(BaseOperatorLink):  # type: ignore[misc]
    """The registered model version, or the registered model when the task was about none in particular."""

    @property
    def name(self) -> str:
        return "MLflow"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        application = _application(ti_key)
        base = f"{os.environ.get('MLFLOW_TRACKING_URI', '').rstrip('/')}/#/models/{application}"
        return f"{base}/versions/{operator.version}" if getattr(operator, "version", None) else base


class VerdictLink(BaseOperatorLink):  # type: ignore[misc]
    """The Verdict tab of the task's run."""

    @property
    def name(self) -> str:
        return "Verdict"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        return airflow_addresses().verdict_tab(ti_key.dag_id, ti_key.run_id)


class SlicesLink(BaseOperatorLink):  # type: ignore[misc]
    """The Slices tab of the task's application."""

    @property
    def name(self) -> str:
        return "Slices"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        return airflow_addresses().slices_tab(_application(ti_key))


class DataDocsLink(BaseOperatorLink):  # type: ignore[misc]
    """What Great Expectations said of the batches this task judged."""

    @property
    def name(self) -> str:
        return "Data Docs"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        return airflow_addresses().data_docs(ti_key.dag_id, getattr(operator, "as_of", None))


def _application(ti_key: TaskInstanceKey) -> str:
    return str(ti_key.dag_id.rpartition(".")[0])


def airflow_addresses() -> Addresses:
    from airflow.configuration import conf

    return Addresses(str(conf.get("api", "base_url", fallback="") or "").rstrip("/"), "")
