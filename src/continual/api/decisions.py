"""What was decided and why, for Python: what `continual status`, `explain`, `ledger` and `quarantine` print."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    from continual.flows.explain import Explanation
    from continual.flows.replay_decisions import Rederived
    from continual.flows.status import Status
    from continual.stores.batches import QuarantineItem
    from continual.stores.entry import Entry


class Decisions:
    """Part of `Application`."""

    workspace: Workspace

    def status(self) -> Status:
        """Where the application stands, from the evaluation store alone."""
        from continual.flows.status import status

        return status(self.workspace)

    def explain(self, version: str | None = None) -> Explanation:
        """Why a version (default: the champion) is live, or why it is not: see `continual.flows.explain`."""
        from continual.flows.explain import explain

        return explain(self.workspace, version)

    def ledger(self, kind: str | None = None, since: datetime | None = None, limit: int | None = None) -> list[Entry]:
        """Decisions with their evidence, oldest first; limit: only so many of the newest. since: of their as_of."""
        found = self.workspace.ledger.entries(kind, since, limit, newest_first=limit is not None)
        return found if limit is None else found[::-1]

    def ledger_verify(self) -> int:
        """Recompute the hash chain; returns the number of entries.

        Raises
        ------
        LedgerError: names the first entry that is missing or was changed.
        """
        return self.workspace.ledger.verify()

    def ledger_replay(self) -> list[Rederived]:
        """Every decision derived again from its recorded evidence, under the policy of the day."""
        from continual.flows.replay_decisions import rederive
        from continual.policy.last_good import PolicyShelf

        settings = self.workspace.settings
        return list(rederive(self.workspace.ledger, PolicyShelf(settings.home, settings.configs)))

    def quarantine(self, everything: bool = False) -> list[QuarantineItem]:
        """Rows that were set aside and wait; everything: settled items, too."""
        return self.workspace.batches.items() if everything else self.workspace.batches.items(state="open")
