"""States of model versions, and lineages that must not come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from continual.core.window import Window
from continual.errors import StoreError
from continual.stores.clock import Clock, wall_clock

if TYPE_CHECKING:
    from continual.stores.database import Database

STATES = ("candidate", "champion", "previous", "retired", "quarantined")


@dataclass(frozen=True)
class ModelVersion:
    """A trained version. recipe_hash: its recipe; with the window it was trained on, its lineage. trusted: types its
    artifact may hold. validation: primary metric before the judging window, None = undefined. base: version whose fit
    it continues, None = it started anew."""

    version: str
    run_id: str | None = None
    recipe_hash: str | None = None
    dataset_id: str | None = None
    trained: Window | None = None
    state: str = "candidate"
    reason: str | None = None
    trusted: tuple[str, ...] = ()
    validation: float | None = None
    base: str | None = None


class VersionStore:
    """Model versions of one application."""

    def __init__(self, db: Database, app: str, clock: Clock = wall_clock) -> None:
        self.db, self.app, self._clock = db, app, clock

    def register(self, version: ModelVersion) -> ModelVersion:
        """Record a version once; recorded again, the stored one is returned unchanged."""
        from continual.stores.rows import upsert
        from continual.stores.tables import model_version

        row = {
            "app": self.app,
            "version": version.version,
            "run_id": version.run_id,
            "recipe_hash": version.recipe_hash,
            "dataset_id": version.dataset_id,
            "trained_start": version.trained.start if version.trained else None,
            "trained_end": version.trained.end if version.trained else None,
            "state": version.state,
            "reason": version.reason,
            "trusted": list(version.trusted),
            "validation": version.validation,
            "base": version.base,
            "recorded_at": self._clock(),
        }
        with self.db.write() as connection:
            upsert(connection, model_version, [row], keep_first=True)
        return self.get(version.version)

    def get(self, version: str) -> ModelVersion:
        """
        Raises
        ------
        StoreError: the version was never registered.
        """
        found = self.versions(version=version)
        if not found:
            raise self._unknown(version)
        return found[0]

    def lineage(self, version: str) -> list[ModelVersion]:
        """The version, the one it continues, and so on to the one that started anew.

        Raises
        ------
        StoreError: one of them was never registered.
        """
        found = [self.get(version)]
        while (base := found[-1].base) is not None:
            found.append(self.get(base))
        return found

    def versions(self, **equal: str) -> list[ModelVersion]:
        """Versions, oldest first; equal: version, state, recipe_hash, run_id or dataset_id."""
        from continual.stores.tables import model_version as table

        query = table.select().where(table.c.app == self.app, *(table.c[k] == v for k, v in equal.items()))
        with self.db.read() as connection:
            rows = connection.execute(query.order_by(table.c.recorded_at, table.c.version)).mappings()
            return [_version(row) for row in rows]

    def retire(self, version: str) -> None:
        """A candidate or previous champion that will not be used; champion and quarantined stay as they are."""
        self._set(version, "retired", None, only=("candidate", "previous", "retired"))

    def quarantine_version(self, version: str, reason: str) -> None:
        """Never to be promoted or rolled back to; the reason is for people.

        Raises
        ------
        StoreError: the version is unknown, or is still the champion (roll back first).
        """
        self._set(version, "quarantined", reason, only=tuple(s for s in STATES if s != "champion"))

    def release(self, version: str, reason: str) -> None:
        """A quarantined version becomes a retired one: it blocks its lineage no longer.

        Raises
        ------
        StoreError: the version is unknown or not quarantined.
        """
        self._set(version, "retired", reason, only=("quarantined",), remedy="name a quarantined version.")

    def _set(
        self,
        version: str,
        state: str,
        reason: str | None,
        only: tuple[str, ...],
        remedy: str = "promote or roll back to another version first.",
    ) -> None:
        from continual.stores.tables import model_version as table

        one = (table.c.app == self.app, table.c.version == version)
        with self.db.write() as connection:
            statement = table.update().where(*one, table.c.state.in_(only)).values(state=state, reason=reason)
            if connection.execute(statement).rowcount:
                return
        raise StoreError(
            f"Version {version} of {self.app} must be one of {', '.join(only)} to become {state}.",
            f"it is {self.get(version).state}.",
            remedy,
        )

    def blocked(self, recipe_hash: str, trained: Window) -> str | None:
        """Why this recipe may not be trained on this window: a version of it, trained on overlapping rows, is
        quarantined. None when it may. A changed recipe or wholly new rows are another lineage."""
        for found in self.versions(state="quarantined", recipe_hash=recipe_hash):
            if found.trained is not None and found.trained.overlaps(trained):
                return f"version {found.version}, trained on {found.trained}: {found.reason}"
        return None

    def _unknown(self, version: str) -> StoreError:
        return StoreError(
            f"Version {version} of {self.app} must be registered in the evaluation store.",
            "there is no such version.",
            "run reconcile, which adopts versions registered by hand.",
        )


def _version(row: Any) -> ModelVersion:
    trained = Window(row["trained_start"], row["trained_end"]) if row["trained_start"] else None
    names = ("version", "run_id", "recipe_hash", "dataset_id", "state", "reason", "validation", "base")
    return ModelVersion(**{name: row[name] for name in names}, trained=trained, trusted=tuple(row["trusted"]))
