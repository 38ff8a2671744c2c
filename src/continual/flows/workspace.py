"""One application's policy and its three homes of state, opened when first used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from continual.models.artifact import load_model
from continual.models.registry import Registry
from continual.policy.last_good import PolicyShelf
from continual.policy.load import LoadedPolicy
from continual.policy.models import Policy
from continual.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from continual.detectors.base import Beside
    from continual.models.artifact import Floats
    from continual.stores.batches import BatchRegistry
    from continual.stores.cells import CellStore
    from continual.stores.champions import ChampionHistory
    from continual.stores.database import Database
    from continual.stores.datasets import DatasetStore
    from continual.stores.definitions import DefinitionStore
    from continual.stores.evaluations import EvaluationStore
    from continual.stores.ledger import Ledger
    from continual.stores.log import PredictionLog
    from continual.stores.retrains import RetrainStore
    from continual.stores.versions import VersionStore
    from continual.stores.withdrawals import WithdrawalStore


@dataclass(frozen=True)
class Outcome:
    """What a flow did. reason: one line for people. data: JSON for the next task."""

    reason: str
    data: dict[str, Any]


@dataclass
class Workspace:
    """Everything a flow needs. run: who acts (Airflow run id and task, or 'cli'), for the ledger."""

    settings: Settings
    loaded: LoadedPolicy
    run: str = "cli"

    @classmethod
    def open(
        cls, application: str, policy_hash: str | None = None, run: str = "cli", settings: Settings | None = None
    ) -> Workspace:
        """Open by name; with `policy_hash` under the snapshot a run started with.

        Raises
        ------
        PolicyError: no valid policy.
        """
        settings = settings or Settings.from_environment()
        settings.make_folders()
        shelf = PolicyShelf(settings.home, settings.configs)
        loaded = shelf.by_hash(application, policy_hash) if policy_hash else shelf.snapshot(application).loaded
        return cls(settings, loaded, run)

    @property
    def policy(self) -> Policy:
        return self.loaded.policy

    @property
    def app(self) -> str:
        return self.policy.application

    @cached_property
    def holder(self) -> str:
        """Who holds the lease. Airflow runs a task instance once at a time, so its retry may take its own lease over;
        two people at a prompt are two holders."""
        return self.run if self.run != "cli" else f"cli {uuid4().hex[:8]}"

    @cached_property
    def db(self) -> Database:
        from continual.stores.database import open_database

        database = open_database(self.settings.database_url)
        database.upgrade()
        return database

    @cached_property
    def ledger(self) -> Ledger:
        from continual.stores.ledger import Ledger

        return Ledger(self.db, self.app)

    @cached_property
    def versions(self) -> VersionStore:
        from continual.stores.versions import VersionStore

        return VersionStore(self.db, self.app)

    @cached_property
    def champions(self) -> ChampionHistory:
        from continual.stores.champions import ChampionHistory

        return ChampionHistory(self.db, self.app)

    @cached_property
    def datasets(self) -> DatasetStore:
        from continual.stores.datasets import DatasetStore

        return DatasetStore(self.db, self.app, self.settings.home / "datasets")

    @cached_property
    def evaluations(self) -> EvaluationStore:
        from continual.stores.evaluations import EvaluationStore

        return EvaluationStore(self.db, self.app)

    @cached_property
    def cells(self) -> CellStore:
        from continual.stores.cells import CellStore

        return CellStore(self.db, self.app)

    @cached_property
    def definitions(self) -> DefinitionStore:
        from continual.stores.definitions import DefinitionStore

        return DefinitionStore(self.db, self.app)

    @cached_property
    def batches(self) -> BatchRegistry:
        from continual.stores.batches import BatchRegistry

        return BatchRegistry(self.db, self.app)

    @cached_property
    def retrains(self) -> RetrainStore:
        from continual.stores.retrains import RetrainStore

        return RetrainStore(self.db, self.app)

    @cached_property
    def log(self) -> PredictionLog:
        from continual.stores.log import PredictionLog

        index = self.settings.home / "keys" / self.app
        return PredictionLog(self.settings.catalog_uri, self.settings.warehouse, self.app, index, self.withdrawals)

    @cached_property
    def withdrawals(self) -> WithdrawalStore:
        from continual.stores.withdrawals import WithdrawalStore

        return WithdrawalStore(self.db, self.app)

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.settings.tracking_uri, self.app)

    def fresh_registry(self) -> Registry:
        """Asked anew: 'the call did not fail' is not 'it happened' (s40)."""
        return Registry(self.settings.tracking_uri, self.app)

    # What a replay does its own way, because it fits and scores the same things under many policies.

    def load(self, version: str, trusted: tuple[str, ...]) -> Any:
        """The fitted pipeline of a version.

        Raises
        ------
        ModelUnavailable: it does not load.
        """
        return load_model(self.settings.tracking_uri, f"models:/{self.app}/{version}", trusted)

    def known_answers(self, version: str, rows: pd.DataFrame) -> Floats | None:
        """What a version says to these logged rows where that is known already, or None: score them."""
        return None

    def recalled(self, key: Sequence[Any], find: Callable[[], Beside]) -> Beside:
        """What a detector finds in inputs, which no model has a part in; key: what it depends on besides the log."""
        return find()

    def fitted(self, key: str, fit: Callable[[], Any]) -> Any:
        """The model that `fit` makes; key: of everything that goes into it."""
        return fit()

    def kept(self, key: str, model: Any) -> tuple[str, str] | None:
        """(uri, run id) of a candidate that is kept elsewhere than in MLflow, or None."""
        return None
