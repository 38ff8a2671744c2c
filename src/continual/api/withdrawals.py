"""Rows out of use, for Python: what `continual data withdraw`, `restore` and `withdrawals` do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.window import Window, utc
from continual.flows import withdraw as flow
from continual.flows.knowledge import newest
from continual.flows.withdrawn_rows import Rows
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import report_window

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "id", "stream", "window", "predicate", "batches", "rows", "days", "datasets", "versions", "verdicts", "as_of", "by",
    "reason", "restored_as_of", "restored_by", "restored_reason",
)  # fmt: skip


class Withdrawals:
    """Part of `Application`."""

    workspace: Workspace

    def withdraw(
        self,
        reason: str,
        by: str,
        *,
        window: Window | str | None = None,
        where: str | None = None,
        slice_name: str | None = None,
        files: Sequence[str] = (),
        stream: str = "predictions",
        as_of: datetime | None = None,
        dry_run: bool = False,
    ) -> Outcome:
        """Take rows out of use: by window (of event time; of labels, when they were known), narrowed by an expression,
        a slice or delivered files. dry_run: count what it would concern, change nothing.

        Raises
        ------
        Skipped: no row that is in use is meant.
        """
        ws = self.workspace
        days = report_window(ws.policy, newest(ws), window) if isinstance(window, str) else window
        found = flow.find(ws, Rows(stream, days, where, slice_name, tuple(files)), as_of)
        if dry_run:
            said = [f"would withdraw {found.n_rows:,} {stream} ({found.scope})", *flow.consequences(ws.app, found)]
            return Outcome("; ".join(said), found.as_dict())
        return self._moved(flow.withdraw(ws, found, reason, by))

    def restore(self, withdrawal: str, reason: str, by: str, as_of: datetime | None = None) -> Outcome:
        """Take the rows of a withdrawal back into use."""
        return self._moved(flow.restore(self.workspace, withdrawal, reason, by, as_of))

    def withdrawals(self, as_of: datetime | None = None) -> pd.DataFrame:
        """Every withdrawal with what rested on its rows, in the order they were made; as_of: those made by then."""
        import pandas as pd

        store = self.workspace.withdrawals
        rows = []
        for one in store.all():
            if as_of is not None and one.as_of > utc(as_of):
                continue
            kinds = [effect.kind for effect in store.effects_of(one.id)]
            scope: dict[str, Any] = {"stream": one.scope.stream, "window": str(one.scope.window)}
            scope |= {"predicate": one.scope.predicate, "batches": len(one.scope.batches or ()) or None}
            counts = {f"{kind}s": kinds.count(kind) for kind in ("day", "dataset", "version", "verdict")}
            rows.append({**vars(one), **scope, "rows": one.n_rows, **counts})
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _moved(self, outcome: Outcome) -> Outcome:
        """What is known now reaches to the change."""
        self.__dict__.pop("as_of", None)
        return outcome
