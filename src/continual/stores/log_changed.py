"""Which days of one log changed. What was found is kept as long as the log stays as it is: a run asks several times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np

from continual.stores import log_days
from continual.stores.key_index import KeyIndex
from continual.stores.log_commit import LogTable
from continual.stores.log_withdrawn import Withdrawn


class ChangedDays:
    """See the methods of `PredictionLog` with these names."""

    def __init__(self, predictions: LogTable, labels: LogTable, index: KeyIndex, withdrawn: Withdrawn) -> None:
        self._predictions, self._labels, self._index, self._withdrawn = predictions, labels, index, withdrawn
        self._at: dict[str, str] = {}
        self._known: dict[tuple[Any, ...], list[date]] = {}

    def heads(self) -> dict[str, str]:
        """See `PredictionLog.heads`."""
        tables = {"predictions": self._predictions.load(), "labels": self._labels.load()}
        snapshots = {name: table.current_snapshot() for name, table in tables.items() if table is not None}
        found = {name: one.snapshot_id for name, one in snapshots.items() if one is not None}
        withdrawn = self._withdrawn.head()
        return {name: str(n) for name, n in {**found, "withdrawals": withdrawn}.items() if n is not None}

    def touched(self, since: datetime | None, as_of: datetime) -> list[date]:
        """See `PredictionLog.touched_days`."""
        return self._kept(("touched", since, as_of), lambda: self._touched(since, as_of))

    def logged(self, as_of: datetime) -> list[date]:
        """See `PredictionLog.logged_days`."""

        def find() -> list[date]:
            table, known = self._predictions.load(), log_days.known_between(None, as_of)
            return log_days.dates(log_days.prediction_days(table, known, None, as_of)) if table is not None else []

        return self._kept(("logged", as_of), find)

    def added(self, heads: Mapping[str, str]) -> list[date]:
        """See `PredictionLog.added_days`."""
        return self._kept(("added", *sorted(heads.items())), lambda: self._added(heads))

    def _touched(self, since: datetime | None, as_of: datetime) -> list[date]:
        known, days = log_days.known_between(since, as_of), np.zeros(0, dtype=np.int64)
        predictions, labels = self._predictions.load(), self._labels.load()
        if predictions is not None:
            days = np.r_[days, log_days.prediction_days(predictions, known, since, as_of)]
        if labels is not None:
            days = np.r_[days, log_days.label_days(labels, known, self._index.keys(predictions))]
        moved = self._withdrawn.days(since, as_of) if since else set()
        return sorted(moved | set(log_days.dates(days)))

    def _added(self, heads: Mapping[str, str]) -> list[date]:
        predictions, labels = self._predictions.load(), self._labels.load()
        since = {stream: int(snapshot) for stream, snapshot in heads.items()}
        days = np.zeros(0, dtype=np.int64)
        if predictions is not None:
            days = np.r_[days, log_days.added_predictions(predictions, since.get("predictions"))]
        if labels is not None:
            days = np.r_[days, log_days.added_labels(labels, since.get("labels"), self._index.keys(predictions))]
        return sorted(self._withdrawn.days_after(since.get("withdrawals")) | set(log_days.dates(days)))

    def _kept(self, question: tuple[Any, ...], find: Callable[[], list[date]]) -> list[date]:
        """`find`, once for each state of the log; the state is looked up first, so that no answer is kept too long."""
        at = self.heads()
        if at != self._at:
            self._at, self._known = at, {}
        if question not in self._known:
            self._known[question] = find()
        return list(self._known[question])
