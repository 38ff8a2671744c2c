"""A deployment as pages read it: nothing is written, built or scanned because somebody looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from continual.errors import NotEnoughData
from continual.flows.workspace import Workspace
from continual.policy.last_good import PolicyInForce, PolicyShelf
from continual.settings import Settings

if TYPE_CHECKING:
    from continual.stores.database import Database


@dataclass
class Site:
    """One for each process that serves pages. Policies are parsed again when their file changes."""

    settings: Settings
    _policies: dict[str, tuple[tuple[int, int], PolicyInForce]] = field(default_factory=dict)
    _checked: bool = False

    @cached_property
    def shelf(self) -> PolicyShelf:
        return PolicyShelf(self.settings.home, self.settings.configs)

    def applications(self) -> list[str]:
        """All names, valid policy or not."""
        return self.shelf.applications()

    def policy(self, app: str) -> PolicyInForce:
        """
        Raises
        ------
        PolicyError: the file is invalid and there never was a valid one.
        """
        path = self.settings.configs / f"{app}.yaml"
        stat = path.stat() if path.is_file() else None
        mark = (stat.st_mtime_ns, stat.st_size) if stat else (0, 0)
        known = self._policies.get(app)
        if known is None or known[0] != mark:
            known = (mark, self.shelf.in_force(app))
            self._policies[app] = known
        return known[1]

    def open(self, app: str) -> Workspace:
        """
        Raises
        ------
        PolicyError: as `policy`. NotEnoughData: nothing was ever recorded. StoreError: the evaluation store does not
        answer or has another schema.
        """
        ws = Workspace(self.settings, self.policy(app).loaded, run="pages")
        ws.db = self._database()
        return ws

    def _database(self) -> Database:
        if not self._checked:
            if self._opened.revision() is None:
                raise NotEnoughData(
                    "Pages show what the DAGs recorded.",
                    "nothing yet: the evaluation store is empty.",
                    "deliver predictions and labels, and let the ingest DAG run.",
                )
            self._opened.check()
            self._checked = True
        return self._opened

    @cached_property
    def _opened(self) -> Database:
        from continual.stores.database import open_database

        return open_database(self.settings.database_url)
