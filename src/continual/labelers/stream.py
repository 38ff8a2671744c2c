"""Labels arrive by themselves in the source's label stream (planes land, loans default)."""

from __future__ import annotations

from typing import Any, Literal

import numpy.typing as npt

from continual.labelers.base import Labeler


class Stream(Labeler):
    """Nothing is asked of anyone; the label budget bounds how many rows are read, not how many come."""

    kind: Literal["stream"] = "stream"

    def request(self, keys: npt.NDArray[Any]) -> str:
        return f"{len(keys):,} labels are read from the label stream"
