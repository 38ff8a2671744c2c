"""Where one deployment keeps its state; every value from the environment, with embedded defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Folder of embedded state of a deployment that says nothing else.
DEFAULT_HOME = "var/continual"


@dataclass(frozen=True)
class Settings:
    """Where state, policies and services are; every URL may name a remote system instead of the embedded default.

    home: folder of embedded state. configs: folder of policy files. database_url: evaluation store (SQLAlchemy).
    catalog_uri, warehouse: Iceberg catalog and folder of the prediction log. tracking_uri: MLflow. airflow_url:
    where people open Airflow.
    """

    home: Path
    configs: Path
    database_url: str
    catalog_uri: str
    warehouse: str
    tracking_uri: str
    airflow_url: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read CONTINUAL_HOME, CONTINUAL_CONFIGS, CONTINUAL_DATABASE_URL, CONTINUAL_CATALOG_URI,
        CONTINUAL_WAREHOUSE, MLFLOW_TRACKING_URI and CONTINUAL_AIRFLOW_URL; an empty one counts as not set."""
        env = {k: v for k, v in (os.environ if environ is None else environ).items() if v}
        home = Path(env.get("CONTINUAL_HOME", DEFAULT_HOME)).absolute()
        store = home / "store"
        return cls(
            home=home,
            configs=Path(env.get("CONTINUAL_CONFIGS", "configs")).absolute(),
            database_url=env.get("CONTINUAL_DATABASE_URL", f"sqlite:///{store}/continual.db"),
            catalog_uri=env.get("CONTINUAL_CATALOG_URI", f"sqlite:///{store}/catalog.db"),
            warehouse=env.get("CONTINUAL_WAREHOUSE", f"file://{store}/warehouse"),
            tracking_uri=env.get("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000"),
            airflow_url=env.get("CONTINUAL_AIRFLOW_URL", "http://127.0.0.1:8080"),
        )

    def make_folders(self) -> None:
        """Create the embedded folders; harmless when they exist."""
        (self.home / "store" / "warehouse").mkdir(parents=True, exist_ok=True)
