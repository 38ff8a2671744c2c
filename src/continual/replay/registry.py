"""The registry of a sandbox: the same questions as MLflow's, answered by one small value. Thousands of versions that
never served anybody do not belong where people compare the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from continual.errors import ModelUnavailable
from continual.models.registry import CANDIDATE, Registry


@dataclass(frozen=True)
class SandboxVersion:
    """What MLflow's `ModelVersion` says of a version."""

    version: str
    run_id: str
    tags: dict[str, str]
    source: str


class SandboxRegistry(Registry):
    """Versions and aliases of one sandbox. state: JSON, kept by the sandbox's checkpoints."""

    shown: ClassVar[bool] = False

    def __init__(self, state: dict[str, Any], name: str) -> None:
        super().__init__("sandbox", name)
        self.state = state
        for part in ("aliases", "versions"):
            state.setdefault(part, {})

    def aliases(self) -> dict[str, str]:
        """alias -> version."""
        return dict(self.state["aliases"])

    def set_alias(self, alias: str, version: str) -> None:
        self.version(version)
        self.state["aliases"][alias] = version

    def delete_alias(self, alias: str) -> None:
        self.state["aliases"].pop(alias, None)

    def ensure(self, description: str) -> None:
        """There is always one registered model."""

    def version_of(self, candidate_key: str) -> str | None:
        found = (v for v, said in self.state["versions"].items() if said["tags"].get(CANDIDATE) == candidate_key)
        return next(found, None)

    def register(self, candidate_key: str, model_uri: str, run_id: str, tags: dict[str, str]) -> str:
        known = self.version_of(candidate_key)
        if known is not None:
            return known
        version = str(len(self.state["versions"]) + 1)
        tags = {**tags, CANDIDATE: candidate_key}
        self.state["versions"][version] = {"run_id": run_id, "tags": tags, "source": model_uri}
        return version

    def tag(self, version: str, tags: dict[str, str], missing_ok: bool = False) -> None:
        self.state["versions"][version]["tags"].update(tags)

    def describe(self, version: str, markdown: str) -> None:
        """Nobody opens the page of a version that never was."""

    def version(self, version: str) -> Any:
        """A `SandboxVersion`.

        Raises
        ------
        ModelUnavailable: it does not exist.
        """
        found = self.state["versions"].get(version)
        if found is None:
            raise ModelUnavailable(
                f"Version {version} of {self.name} must be registered.", "there is none.", "delete the sandbox."
            )
        return SandboxVersion(version, **found)

    def log_metrics(self, run_id: str, metrics: dict[str, float]) -> None:
        """They are in the evaluation store of the sandbox."""

    def close_runs(self, candidate_key: str) -> None:
        """There are no runs."""

    def log_text(self, run_id: str, text: str, file: str) -> None:
        """There are no runs."""

    @contextmanager
    def reachable(self, what: str = "the model registry") -> Iterator[None]:
        yield
