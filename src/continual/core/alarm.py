"""What a monitor reads and says: daily paired losses in, a reading out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from continual.core.stats.dependence import DaySums


@dataclass(frozen=True)
class PairedStream:
    """Paired losses of the champion and the previous champion on one slice since deployment.

    excess: one array per UTC day of matured rows, in order, each row `loss(champion) - loss(previous)` in
    [-1, 1]; positive = the champion is worse. days: ISO dates, same length. weight: of each row, in (0, 1], where
    labels were chosen: the least chance of a label that any row of the slice and day had, over the row's own; a row's
    weight times its loss then has the sign of the mean over all rows. None = all 1. before: days before the deployment
    on which both versions were compared, oldest first, the same ones for every slice (n = 0: no rows); they only say
    how much the rows of a day move together.
    """

    slice: str
    tier: str
    days: tuple[str, ...]
    excess: tuple[npt.NDArray[np.float64], ...]
    weight: tuple[npt.NDArray[np.float64], ...] | None = None
    before: tuple[DaySums, ...] = ()

    @property
    def n(self) -> int:
        return int(sum(len(day) for day in self.excess))


@dataclass(frozen=True)
class SliceReading:
    """The monitor on one slice: after the last day, or on the day it alarmed, which later days never change.

    evidence: against 'the champion is not worse', acts at `threshold`. alarmed_on: ISO date. since: of an alarm, the
    likeliest first day of the fault (ISO date). n, mean_excess: rows, and their weighted mean `loss(champion) -
    loss(previous)` (None without rows), from `since` or else from deployment, to the day of the reading.
    """

    slice: str
    evidence: float
    threshold: float
    alarmed_on: str | None
    n: int
    mean_excess: float | None
    since: str | None = None

    @property
    def alarmed(self) -> bool:
        return self.alarmed_on is not None


@dataclass(frozen=True)
class MonitorReading:
    """All slices; `worst` alarmed first. reason: one line for people."""

    alarms: tuple[str, ...]
    readings: tuple[SliceReading, ...]
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
