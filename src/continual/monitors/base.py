"""What every monitor can do: read paired streams since deployment, say which slices alarm."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from continual.core.alarm import MonitorReading, PairedStream
from continual.core.family import Family, Strategy

MONITORS = Family("monitor", "continual.monitors")


class Monitor(Strategy):
    """Pure and recomputed from the deployment's first day, so that re-runs change nothing."""

    family: ClassVar[Family] = MONITORS

    @abstractmethod
    def read(self, streams: Sequence[PairedStream]) -> MonitorReading:
        """Streams of one deployment (`overall` first, then every slice) -> reading."""
