"""Rows taken out of use without being deleted: which ones, and whether that holds at an instant of knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core import expression
from continual.core.projection import Projection, with_projections
from continual.core.window import Window

if TYPE_CHECKING:
    import pandas as pd

Bools = npt.NDArray[np.bool_]
#: Stream -> the column its window is about.
TIME = {"predictions": "event_time", "labels": "known_at"}


@dataclass(frozen=True)
class Scope:
    """Which rows. window: of event time (predictions) or of the instant they were known (labels). predicate: over
    logged columns and `projections` (name -> expression); None: every row. batches: ids of the batches the rows came
    in; None: any."""

    stream: str
    window: Window
    predicate: str | None = None
    projections: Mapping[str, str] = field(default_factory=dict)
    batches: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Logged columns that `mask` reads, sorted."""
        read = set(expression.columns(self.predicate)) if self.predicate else set()
        for text in self.projections.values():
            read |= set(Projection(text).columns)
        read |= {TIME[self.stream]} | ({"batch_id"} if self.batches is not None else set())
        return tuple(sorted(read - set(self.projections)))

    def mask(self, frame: pd.DataFrame) -> Bools:
        """(n,) rows of `frame` that are meant; a predicate that is unknown for a row does not take it.

        Raises
        ------
        SliceError: the predicate does not fit the columns.
        """
        at = frame[TIME[self.stream]]
        found = np.array((at >= self.window.start) & (at < self.window.end), dtype=bool)
        if self.batches is not None:
            found &= frame["batch_id"].isin(self.batches).to_numpy(dtype=bool)
        if self.predicate and found.any():
            rows = with_projections(frame[found], {name: Projection(text) for name, text in self.projections.items()})
            columns = {str(name): rows[name].reset_index(drop=True) for name in rows.columns}
            found[found] = expression.mask(self.predicate, columns, len(rows))
        return found

    def as_dict(self) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "window": self.window.as_dict(),
            "predicate": self.predicate,
            "projections": dict(self.projections),
            "batches": None if self.batches is None else list(self.batches),
        }

    def __str__(self) -> str:
        parts = [f"{self.stream} of {self.window}"]
        parts += [f"where {self.predicate}"] if self.predicate else []
        parts += [f"of {len(self.batches)} batches"] if self.batches is not None else []
        return " ".join(parts)


@dataclass(frozen=True)
class Withdrawal:
    """One withdrawal. as_of: rows are out of use for reads as of then and later, until `restored_as_of` if ever.
    seq, restored_seq: order in which both were recorded. n_rows: rows it took out when it was made."""

    id: str
    scope: Scope
    reason: str
    by: str
    as_of: datetime
    seq: int
    n_rows: int
    restored_as_of: datetime | None = None
    restored_by: str | None = None
    restored_reason: str | None = None
    restored_seq: int | None = None

    def in_force(self, as_of: datetime) -> bool:
        """Whether a read as of that instant leaves the rows out."""
        return self.as_of <= as_of and (self.restored_as_of is None or as_of < self.restored_as_of)

    @property
    def instants(self) -> tuple[datetime, ...]:
        """When what is known changed because of it."""
        return (self.as_of,) if self.restored_as_of is None else (self.as_of, self.restored_as_of)

    @property
    def last_seq(self) -> int:
        return self.restored_seq or self.seq
