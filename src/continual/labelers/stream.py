"""Labels arrive by themselves in the source's label stream (planes land, loans default)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from continual.core.labelling import Fetched, Task
from continual.labelers.base import Desk, Labeler, Offered


class Stream(Labeler):
    """Nothing is asked of anyone; the sampler's budget bounds how many labelled rows are read, not how many come."""

    asks: ClassVar[bool] = False
    kind: Literal["stream"] = "stream"

    def offer(self, desk: Desk, tasks: Sequence[Task]) -> Offered:
        return Offered("labels come by themselves")

    def fetch(self, desk: Desk) -> Fetched:
        return Fetched()
