"""What Airflow has to know: the product's links, and two repairs of its embedded database."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from continual.airflow.links import ModelVersionLink
from continual.airflow.sqlite import repair


class ContinualPlugin(AirflowPlugin):  # type: ignore[misc]
    """Registered by entry point, and by plugins/ for deployments that copy files."""

    name = "continual"
    operator_extra_links: ClassVar = [ModelVersionLink()]

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        repair()
