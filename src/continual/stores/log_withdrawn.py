"""Rows that were withdrawn, left out when the log is read: files and snapshots stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from continual.core.window import Window
from continual.core.withdrawal import Scope

if TYPE_CHECKING:
    from continual.stores.withdrawals import WithdrawalStore


class Withdrawn:
    """What the log asks about withdrawals. store: None = every row is in use."""

    def __init__(self, store: WithdrawalStore | None) -> None:
        self.store = store

    def scopes(self, stream: str, as_of: datetime, window: Window | None = None) -> list[Scope]:
        """Rows of the stream that a read as of that instant leaves out; window: only those that can be in it."""
        return self.store.in_force(stream, as_of, window) if self.store else []

    def days(self, since: datetime, as_of: datetime) -> set[date]:
        """UTC days whose rows went or came back in (since, as_of]."""
        return self.store.days(since, as_of) if self.store else set()

    def head(self) -> int | None:
        """Number of the newest change; None: there is none."""
        return (self.store.head() or None) if self.store else None

    def days_after(self, head: int | None) -> set[date]:
        """UTC days that a change after that one concerns."""
        return self.store.days_after(head or 0) if self.store else set()


def columns_for(columns: Sequence[str] | None, scopes: Sequence[Scope]) -> list[str] | None:
    """What must be read to have `columns` (None: all) of the rows that are left."""
    if columns is None:
        return None
    return list(dict.fromkeys([*columns, *(name for scope in scopes for name in scope.columns)]))


def without(rows: pa.Table, scopes: Sequence[Scope]) -> pa.Table:
    """`rows` that no scope takes out. rows: with the columns the scopes read.

    Raises
    ------
    SliceError: a predicate does not fit the columns.
    """
    if not scopes or not rows.num_rows:
        return rows
    gone = np.zeros(rows.num_rows, dtype=bool)
    for scope in scopes:
        gone |= scope.mask(rows.select(list(scope.columns)).to_pandas())
    return rows.filter(pa.array(~gone)) if gone.any() else rows
