"""The MLflow registry of one application: versions, aliases, tags. Fails closed.

Aliases are read through `get_registered_model().aliases` only: `search_model_versions(...).aliases` is empty
(mlflow#16734). 'No such model' and 'cannot reach the registry' are different answers; the second never reads as
'no champion'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from continual.errors import ModelUnavailable
from continual.models.server_version import check_server_version

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
#: Tag of versions and runs: which candidate they are (dataset, recipe and seed).
CANDIDATE = "continual.candidate"
#: Tag of a run that is no training but a history.
HISTORY = "continual.history"
_MISSING = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}


class Registry:
    """Versions of the registered model `name` at `uri`. A fresh client per instance."""

    #: Somebody looks at it: reports are written and pictures drawn.
    shown: ClassVar[bool] = True

    def __init__(self, uri: str, name: str) -> None:
        self.uri, self.name = uri, name

    @property
    def client(self) -> MlflowClient:
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def aliases(self) -> dict[str, str]:
        """alias -> version; {} when the model was never registered.

        Raises
        ------
        ModelUnavailable: the registry does not answer (s26), or is of a version that cannot be talked to (s54).
        """
        from mlflow.exceptions import MlflowException

        check_server_version(self.uri)
        with self.reachable():
            try:
                model = self.client.get_registered_model(self.name)
            except MlflowException as error:
                if error.error_code in _MISSING:
                    return {}
                raise
        return {alias: str(version) for alias, version in model.aliases.items()}

    def champion(self) -> str | None:
        return self.aliases().get(CHAMPION)

    def set_alias(self, alias: str, version: str) -> None:
        with self.reachable():
            self.client.set_registered_model_alias(self.name, alias, version)

    def delete_alias(self, alias: str) -> None:
        with self.reachable():
            self.client.delete_registered_model_alias(self.name, alias)

    def ensure(self, description: str) -> None:
        """Create the registered model unless it exists."""
        from mlflow.exceptions import MlflowException

        with self.reachable():
            try:
                self.client.create_registered_model(self.name, description=description)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise

    def version_of(self, candidate_key: str) -> str | None:
        """The first version registered under this key, so that a retry makes no second one (s31)."""
        key = f"tags.`{CANDIDATE}` = '{candidate_key}'"
        with self.reachable():
            found = self.client.search_model_versions(f"name = '{self.name}' and {key}")
        return min((str(v.version) for v in found), key=int, default=None)

    def register(self, candidate_key: str, model_uri: str, run_id: str, tags: dict[str, str]) -> str:
        """Version number of the model at `model_uri`; idempotent by `candidate_key`. When two do it at once the first
        version stays."""
        known = self.version_of(candidate_key)
        if known is not None:
            return known
        self.ensure(f"Application {self.name}, controlled by continual.")
        with self.reachable():
            made = self.client.create_model_version(
                self.name,
                source=model_uri,
                run_id=run_id,
                tags={**tags, CANDIDATE: candidate_key},
                model_id=model_uri.removeprefix("models:/"),
            )
            first = self.version_of(candidate_key) or str(made.version)
            if first != str(made.version):
                self.client.delete_model_version(self.name, str(made.version))
        return first

    def tag(self, version: str, tags: dict[str, str], missing_ok: bool = False) -> None:
        """missing_ok: a version somebody deleted in MLflow needs no tags."""
        from mlflow.exceptions import MlflowException

        with self.reachable():
            try:
                for key, value in tags.items():
                    self.client.set_model_version_tag(self.name, version, key, value)
            except MlflowException as error:
                if not missing_ok or error.error_code not in _MISSING:
                    raise

    def describe(self, version: str, markdown: str) -> None:
        with self.reachable():
            self.client.update_model_version(self.name, version, description=markdown)

    def version(self, version: str) -> Any:
        """The MLflow `ModelVersion`.

        Raises
        ------
        ModelUnavailable: it does not exist or the registry does not answer.
        """
        with self.reachable(f"version {version} of {self.name}"):
            return self.client.get_model_version(self.name, version)

    def log_metrics(self, run_id: str, metrics: dict[str, float]) -> None:
        """Metrics of a finished run; at most 1,000 a call are accepted by the server."""
        from mlflow.entities import Metric

        items = [Metric(key, value, timestamp=0, step=0) for key, value in metrics.items()]
        with self.reachable():
            for start in range(0, len(items), 1000):
                self.client.log_batch(run_id, metrics=items[start : start + 1000])

    def close_runs(self, candidate_key: str) -> None:
        """Runs of this candidate that a killed training left as 'running' are marked as killed."""
        with self.reachable():
            experiment = self.client.get_experiment_by_name(self.name)
            wanted = f"tags.`{CANDIDATE}` = '{candidate_key}' and attributes.status = 'RUNNING'"
            for run in self.client.search_runs([experiment.experiment_id], wanted) if experiment else []:
                self.client.set_terminated(run.info.run_id, "KILLED")

    def log_text(self, run_id: str, text: str, file: str) -> None:
        with self.reachable():
            self.client.log_text(run_id, text, file)

    def log_figure(self, run_id: str, figure: Figure, file: str) -> None:
        with self.reachable():
            self.client.log_figure(run_id, figure, file)

    def log_history(self, name: str, points: Sequence[tuple[int, datetime, dict[str, float]]]) -> None:
        """Metrics over steps of the run `name`, made when there is none; a step that it has is left as it is."""
        from mlflow.entities import Metric

        with self.reachable():
            run_id = self._history_run(name)
            known = {m: {p.step for p in self.client.get_metric_history(run_id, m)} for _, _, v in points for m in v}
            items = [
                Metric(metric, value, int(at.timestamp() * 1000), step)
                for step, at, values in points
                for metric, value in values.items()
                if step not in known[metric]
            ]
            for start in range(0, len(items), 1000):
                self.client.log_batch(run_id, metrics=items[start : start + 1000])

    def _history_run(self, name: str) -> str:
        experiment = self.client.get_experiment_by_name(self.name)
        where = experiment.experiment_id if experiment else self.client.create_experiment(self.name)
        found = self.client.search_runs([where], f"tags.`{HISTORY}` = '{name}'")
        if found:
            return str(found[-1].info.run_id)
        made = self.client.create_run(where, run_name=name, tags={HISTORY: name})
        self.client.set_terminated(made.info.run_id)
        return str(made.info.run_id)

    def url(self, version: str) -> str:
        return f"{self.uri}/#/models/{self.name}/versions/{version}"

    @contextmanager
    def reachable(self, what: str = "the model registry") -> Iterator[None]:
        """Any failure of MLflow inside becomes ModelUnavailable."""
        from mlflow.exceptions import MlflowException
        from requests.exceptions import RequestException

        try:
            yield
        except (MlflowException, RequestException, OSError) as error:
            raise ModelUnavailable(
                f"{what[0].upper()}{what[1:]} must be readable.",
                f"{self.uri}: {str(error)[:300]}.",
                "start or repair MLflow, then clear this task; nothing was changed.",
            ) from error
