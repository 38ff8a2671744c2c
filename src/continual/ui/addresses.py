"""Addresses: of these pages, of Airflow's and of MLflow's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

#: Where Airflow mounts the pages.
PREFIX = "/continual"
#: Where it mounts the Data Docs.
DOCS = "/continual-docs"
#: Parts of Airflow's own addresses for the tabs.
SLICES_TAB, VERDICT_TAB, APPLICATIONS = "continual-slices", "continual-verdict", "continual-applications"


@dataclass(frozen=True)
class Addresses:
    """airflow: path (or URL) Airflow is served under, without a slash at its end. mlflow: URL of MLflow; anything that
    is not http(s) has no pages and no links."""

    airflow: str
    mlflow: str

    @property
    def home(self) -> str:
        return f"{self.airflow}{PREFIX}/"

    def app(self, app: str) -> str:
        """Path of an application's pages."""
        return f"{self.airflow}{PREFIX}/apps/{quote(app, safe='')}"

    def static(self, name: str) -> str:
        return f"{self.airflow}{PREFIX}/static/{name}"

    def dag(self, dag_id: str) -> str:
        return f"{self.airflow}/dags/{quote(dag_id, safe='')}"

    def run(self, dag_id: str, run_id: str) -> str:
        return f"{self.dag(dag_id)}/runs/{quote(run_id, safe='')}"

    def version(self, app: str, version: str | None) -> str | None:
        """MLflow's page of a version; None where MLflow has no pages."""
        if version is None or not self.mlflow.startswith(("http://", "https://")):
            return None
        return f"{self.mlflow.rstrip('/')}/#/models/{quote(app, safe='')}/versions/{quote(version, safe='')}"

    def slices_tab(self, app: str) -> str:
        """The Slices tab on an application's page in Airflow."""
        return f"{self.dag(f'{app}.monitor')}/plugin/{SLICES_TAB}"

    def verdict_tab(self, dag_id: str, run_id: str) -> str:
        """The Verdict tab on a run's page in Airflow."""
        return f"{self.run(dag_id, run_id)}/plugin/{VERDICT_TAB}"

    def data_docs(self, dag_id: str, as_of: str | None = None) -> str:
        """Great Expectations' pages of the batches an ingest DAG judged; as_of: by the run of that instant."""
        return link(f"{self.airflow}{DOCS}/{quote(dag_id, safe='')}/", as_of=as_of)

    def verdict(self, app: str, seq: int) -> str:
        return link(f"{self.app(app)}/verdict", seq=seq)


def link(path: str, **query: Any) -> str:
    """`path` with the parts of the query that say something."""
    said = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(said)}" if said else path
