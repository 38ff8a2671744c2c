"""What one model says to the rows of a history: scored once in blocks, kept on disk, shared by policies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
#: Rows scored at a time.
BLOCK = 8192
#: Rows as the log holds them -> answers (m,) or (m, K).
Score = Callable[["pd.DataFrame"], Floats]


class ScoreBook:
    """Scores of one model over `rows` (n, ...), block by block when first asked for.

    Two processes may score a block at once: both write the same numbers, and the mark comes after them.
    """

    def __init__(self, path: Path, rows: pd.DataFrame, width: int, score: Score) -> None:
        self._rows, self._score = rows, score
        blocks = -(-len(rows) // BLOCK)
        shape = (len(rows), width) if width else (len(rows),)
        self._values = _file(path.with_suffix(".f8"), np.float64, shape)
        self._done = _file(path.with_suffix(".done"), np.uint8, (blocks,))

    def scores(self, positions: npt.NDArray[np.int64]) -> Floats:
        """(m,) or (m, K) answers to the rows at these positions."""
        for block in np.unique(positions // BLOCK):
            if not self._done[block]:
                part = slice(int(block) * BLOCK, min((int(block) + 1) * BLOCK, len(self._rows)))
                self._values[part] = self._score(self._rows.iloc[part])
                self._done[block] = 1
        return np.asarray(self._values[positions])


def _file(path: Path, kind: Any, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A file of zeros of this size, made once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.truncate(int(np.prod(shape)) * np.dtype(kind).itemsize)
    return np.memmap(path, dtype=kind, mode="r+", shape=shape)
