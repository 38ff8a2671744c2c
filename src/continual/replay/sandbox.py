"""A workspace in which one policy lives through history: its own evaluation store, ledger, registry and home; the
history is shared and read only, and the deployment is never touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.canonical import digest
from continual.flows.workspace import Workspace
from continual.models.artifact import score
from continual.models.recipe import trusted_types
from continual.models.registry import CANDIDATE, Registry
from continual.replay.fits import Fits
from continual.replay.history import History
from continual.replay.inputs import recalled
from continual.replay.log import HistoryLog
from continual.replay.registry import SandboxRegistry
from continual.replay.scores import ScoreBook
from continual.replay.serving import Serving

if TYPE_CHECKING:
    import pandas as pd

    from continual.detectors.base import Beside
    from continual.models.artifact import Floats
    from continual.policy.load import LoadedPolicy
    from continual.replay.database import SandboxDatabase
    from continual.replay.datasets import SandboxDatasets
    from continual.settings import Settings

#: Score books kept open.
BOOKS = 8


@dataclass
class Sandbox(Workspace):
    """A `Workspace` over a `History`. cache: models and scores that policies share."""

    history: History | None = None
    cache: Path = Path()

    @classmethod
    def at(cls, home: Path, cache: Path, history: History, loaded: LoadedPolicy, settings: Settings) -> Sandbox:
        """Open or go on with the sandbox in `home`. settings: of the deployment, of which nothing is used but where
        policies are."""
        store = home / "store"
        own = replace(
            settings,
            home=home,
            database_url=f"sqlite:///{store}/continual.db",
            catalog_uri="",
            warehouse="",
            tracking_uri="",
        )
        own.make_folders()
        return cls(own, loaded, "replay", history, cache)

    @property
    def past(self) -> History:
        """The history."""
        assert self.history is not None  # noqa: S101
        return self.history

    @cached_property
    def db(self) -> SandboxDatabase:
        from continual.replay.database import SandboxDatabase

        return SandboxDatabase.at(self.settings.home / "store" / "continual.db")

    @cached_property
    def log(self) -> HistoryLog:
        return HistoryLog(self.past, self.serving, self.app, self.withdrawals)

    @cached_property
    def serving(self) -> Serving:
        return Serving(len(self.past), self.policy.label.target)

    @cached_property
    def registry(self) -> Registry:
        return SandboxRegistry(self.db.state("registry") or {}, self.app)

    def fresh_registry(self) -> Registry:
        """There is no server between a sandbox and its registry."""
        return self.registry

    def checkpoint(self, **state: Any) -> None:
        """Everything up to now is kept, all of it or nothing."""
        assert isinstance(self.registry, SandboxRegistry)  # noqa: S101
        self.db.checkpoint({**state, "registry": self.registry.state})

    @cached_property
    def datasets(self) -> SandboxDatasets:
        from continual.replay.datasets import SandboxDatasets

        return SandboxDatasets(self.db, self.app, self.settings.home / "datasets", self.past)

    @cached_property
    def fits(self) -> Fits:
        """Models by content."""
        return Fits(self.cache / "models")

    @cached_property
    def _trusted(self) -> tuple[str, ...]:
        return tuple(sorted({t for trainer in self.policy.trainers for t in trusted_types(trainer)}))

    @cached_property
    def _books(self) -> dict[str, ScoreBook]:
        return {}

    def load(self, version: str, trusted: tuple[str, ...]) -> Any:
        """See `Workspace.load`."""
        return self.fits.load(self.key_of(version), trusted)

    def key_of(self, version: str) -> str:
        """Content key of a version's model."""
        return str(self.registry.version(version).tags[CANDIDATE])

    def fitted(self, key: str, fit: Callable[[], Any]) -> Any:
        """See `Workspace.fitted`."""
        return self.fits.fitted(key, fit, self._trusted)

    def recalled(self, key: Sequence[Any], find: Callable[[], Beside]) -> Beside:
        """See `Workspace.recalled`; found once for all policies that look at the same slices."""
        policy = self.policy
        gone = [str((one.scope, one.as_of, one.restored_as_of)) for one in self.withdrawals.all()]
        whole = [
            self.past.id,
            gone,
            policy.columns,
            policy.features.model_dump(),
            policy.detector.model_dump(),
            list(key),
        ]
        return recalled(self.cache / "inputs" / f"{digest(whole)[:32]}.json", find)

    def kept(self, key: str, model: Any) -> tuple[str, str] | None:
        """Models are in the cache already."""
        return f"replay:{key}", f"replay-{key}"

    def known_answers(self, version: str, rows: pd.DataFrame) -> Floats | None:
        """From the score book of the version's model."""
        if "record_key" not in rows.columns or rows.empty:
            return None
        at = self.past.positions(rows["record_key"])
        return None if np.any(at < 0) else self.book(version).scores(at)

    def book(self, version: str) -> ScoreBook:
        """Scores of a version over the history."""
        key = self.key_of(version)
        if key not in self._books:
            while len(self._books) >= BOOKS:
                self._books.pop(next(iter(self._books)))
            self._books[key] = self._open_book(key, version)
        return self._books[key]

    def _open_book(self, key: str, version: str) -> ScoreBook:
        target = self.policy.label.target

        def answer(rows: pd.DataFrame) -> Floats:
            return score(self.load(version, self._trusted), rows, self.policy.features.all, target)

        width = len(target.classes) if target.task == "multiclass" else 0
        return ScoreBook(self.cache / "scores" / self.past.id / key, self.past.rows, width, answer)
