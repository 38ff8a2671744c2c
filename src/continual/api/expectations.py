"""Suites proposed from the log, for Python: what `continual expectations suggest` does."""

from __future__ import annotations

from datetime import datetime, timedelta

from continual.core.window import Window, utc
from continual.flows import suggest_expectations as flow
from continual.flows.knowledge import newest
from continual.flows.workspace import Workspace
from continual.policy.windows import report_window


class Expectations:
    """Part of `Application`."""

    workspace: Workspace

    def suggest_expectations(
        self,
        window: Window | str,
        history: timedelta = timedelta(days=60),
        *,
        as_of: datetime | None = None,
        progress: flow.Progress | None = None,
    ) -> list[flow.Suggestion]:
        """Expectations proposed from the days of `window`, each tried on the days of `history` around it."""
        ws = self.workspace
        known = newest(ws) if as_of is None else utc(as_of)
        days = report_window(ws.policy, known, window) if isinstance(window, str) else window
        return flow.suggest(ws, days, history, known, progress)
