"""What every detector of data faults can do: read daily counts of the inputs, say which column jumped where."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from continual.core.diagnosis import DataFault
from continual.core.family import Family, Strategy

Floats = npt.NDArray[np.float64]
DETECTORS = Family("detector", "continual.detectors")


@dataclass(frozen=True)
class ColumnDays:
    """One column, per day, slice and part: rows that belong to the part, and rows that could.

    role: an input as logged, or the champion's score. parts: what the C shares are, for people ('missing',
    'below 540', "= 'UA'"). counts, totals: (D, S, C); the first slice is all rows.
    """

    column: str
    role: Literal["input", "score"]
    parts: tuple[str, ...]
    counts: Floats
    totals: Floats


@dataclass(frozen=True)
class DayTables:
    """days: ISO dates in order, complete ones. weekday: (D,) 0..6. slices, predicates: S names, and their rows."""

    days: tuple[str, ...]
    weekday: npt.NDArray[np.int64]
    slices: tuple[str, ...]
    predicates: tuple[str, ...]
    columns: Sequence[ColumnDays]


@dataclass(frozen=True)
class Beside:
    """Other columns of the same days. looks: shares compared on each day; columns: how many; faults: found in them."""

    looks: int = 0
    columns: int = 0
    faults: tuple[DataFault, ...] = ()


@dataclass(frozen=True)
class FaultReading:
    """faults: the largest first. reason: one line for people. days: ISO dates that were looked at. looks: shares
    compared on each of them."""

    faults: tuple[DataFault, ...]
    reason: str
    days: tuple[str, ...] = ()
    looks: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Detector(Strategy):
    """Pure: same counts, same reading; needs no labels."""

    family: ClassVar[Family] = DETECTORS

    @property
    @abstractmethod
    def history_days(self) -> int:
        """Days of counts it wants to see."""

    def size(self, tables: DayTables) -> Beside:
        """Columns and shares that `read` looks at: levels may depend on how many there are in all."""
        return Beside()

    @abstractmethod
    def read(self, tables: DayTables, beside: Beside | None = None) -> FaultReading:
        """Faults of the looked-at days. beside: columns of the same days that were read apart; the reading is that of
        all of them."""
