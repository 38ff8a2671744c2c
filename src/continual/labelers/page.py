"""Our own labelling page: `continual labelling serve`. The page reads the queue and writes answers into it itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from continual.core.labelling import Fetched, Task
from continual.labelers.base import Desk, Labeler, Offered


class Page(Labeler):
    """Annotators answer on the page; also right when answers are only written by programs through the API."""

    kind: Literal["page"] = "page"

    def offer(self, desk: Desk, tasks: Sequence[Task]) -> Offered:
        return Offered(f"annotators find {len(tasks):,} rows on the page of `continual labelling serve`")

    def fetch(self, desk: Desk) -> Fetched:
        return Fetched()
