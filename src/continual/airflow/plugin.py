"""What Airflow has to know to show the product's links."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from continual.airflow.links import ModelVersionLink


class ContinualPlugin(AirflowPlugin):  # type: ignore[misc]
    """Registered by entry point, and by plugins/ for deployments that copy files."""

    name = "continual"
    operator_extra_links = [ModelVersionLink()]
