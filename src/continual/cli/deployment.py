"""Which deployment a command is about: its home, its policy files, its applications."""

from __future__ import annotations

import difflib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from continual.errors import ContinualError
from continual.settings import Settings

if TYPE_CHECKING:
    from continual.flows.workspace import Workspace
    from continual.policy.last_good import PolicyShelf


@dataclass(frozen=True)
class Deployment:
    """Opened by `deployment`."""

    settings: Settings

    @property
    def shelf(self) -> PolicyShelf:
        from continual.policy.last_good import PolicyShelf

        return PolicyShelf(self.settings.home, self.settings.configs)

    def applications(self, names: Sequence[str] = ()) -> list[str]:
        """Those named, else all.

        Raises
        ------
        ContinualError: there is no policy file at all, or none of this name.
        """
        known = self._known()
        if not known:
            raise ContinualError(
                "There must be a policy file <application>.yaml.",
                f"none in {self.settings.configs}{'' if self.settings.home.is_dir() else self._no_home()}.",
                "make one with `continual init`, or name another folder with --home or --configs.",
            )
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}? " if near else "name one of these. "
                raise ContinualError(
                    "APP must name an application.",
                    f"{name!r}, without a policy in {self.settings.configs}.",
                    f"{hint}Known: {', '.join(known)}.",
                )
        return list(names) or known

    def application(self, name: str | None) -> str:
        """The one named, or the only one.

        Raises
        ------
        ContinualError: unknown, or several and none named.
        """
        found = self.applications([name] if name else [])
        if len(found) > 1:
            raise ContinualError(
                "With several applications one must be named.",
                f"{', '.join(found)}.",
                f"name one where --help says APP, or with --app {found[0]}.",
            )
        return found[0]

    def _no_home(self) -> str:
        return f", and there is no home {self.settings.home}"

    def _known(self) -> list[str]:
        """With a policy file, or with an earlier one that is still in force."""
        kept = self.shelf.root
        earlier = [folder.name for folder in kept.iterdir() if folder.is_dir()] if kept.is_dir() else []
        return sorted({*self.shelf.applications(), *earlier})

    def check_exists(self) -> None:
        """
        Raises
        ------
        ContinualError: nothing ever ran here; a misspelt home must not become a new empty one.
        """
        store = self.settings.home / "store"
        if str(store) in self.settings.database_url and not store.is_dir():
            raise ContinualError(
                "There must be a deployment in the home.",
                f"nothing ran in {self.settings.home} yet.",
                "start it with `continual up`, or name another with --home or CONTINUAL_HOME.",
            )

    def read(self, application: str) -> tuple[Workspace, str | None]:
        """A workspace that keeps no policy snapshot, and the problem of the policy file, if any."""
        from continual.flows.workspace import Workspace

        self.check_exists()
        found = self.shelf.in_force(application)
        return Workspace(self.settings, found.loaded), found.problem

    def each(self, name: str | None) -> Iterator[tuple[Workspace, str | None]]:
        """`read` of the application named, or of all."""
        for application in self.applications([name] if name else []):
            yield self.read(application)

    def act(self, name: str | None) -> Workspace:
        """A workspace to change things with: what is done is done under a policy that is kept."""
        from continual.flows.workspace import Workspace

        application = self.application(name)
        self.check_exists()
        return Workspace.open(application, settings=self.settings)

    def check_mlflow(self) -> None:
        """
        Raises
        ------
        ContinualError: no MLflow is known to be this deployment's. What listens on a remembered port may be another's.
        """
        if "MLFLOW_TRACKING_URI" not in os.environ and not stack_runs(self.settings.home):
            raise ContinualError(
                "MLflow of this deployment must run.",
                f"no local stack runs on {self.settings.home}.",
                "start it with `continual up`, or set MLFLOW_TRACKING_URI to the MLflow of your deployment.",
            )


def stack_runs(home: Path) -> bool:
    """A local stack (or the demo) holds its lock as long as it lives."""
    try:
        with (home / "stack.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def deployment(home: Path, configs: Path | None) -> Deployment:
    """configs: None = `<home>/configs` where it exists, else `./configs`. MLflow and Airflow are those of the local
    stack that runs on this home, unless the environment names others."""
    home = home.expanduser()
    if configs is None:
        configs = home / "configs" if (home / "configs").is_dir() else Path("configs")
    ports = _ports(home / "ports.json") if stack_runs(home) else {}
    local = {"MLFLOW_TRACKING_URI": ports.get("mlflow"), "CONTINUAL_AIRFLOW_URL": ports.get("airflow")}
    found = {name: f"http://127.0.0.1:{port}" for name, port in local.items() if port}
    here = {"CONTINUAL_HOME": str(home), "CONTINUAL_CONFIGS": str(configs.expanduser())}
    return Deployment(Settings.from_environment({**found, **os.environ, **here}))


def _ports(memory: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        values = json.loads(memory.read_text(encoding="utf-8"))
        return {name: port for name, port in values.items() if isinstance(port, int)}
    return {}
