"""Who would have served which row, and what they would have said: the composite live model of one policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.target import Target

if TYPE_CHECKING:
    from continual.replay.scores import ScoreBook

Floats = npt.NDArray[np.float64]


class Serving:
    """Answers over the rows of a history, filled up to the present of the replay.

    version: (n,) who served, None = nobody. answers: (n,) or (n, K), NaN = nobody.
    """

    def __init__(self, n: int, target: Target) -> None:
        self.target = target
        self.version: npt.NDArray[np.object_] = np.full(n, None, dtype=object)
        shape = (n, len(target.classes)) if target.task == "multiclass" else (n,)
        self.answers: Floats = np.full(shape, np.nan)

    def serve(self, part: slice, version: str | None, book: ScoreBook | None) -> None:
        """`version` answers the rows `part`, as its scores say."""
        if version is None or book is None or part.stop <= part.start:
            return
        self.version[part] = version
        self.answers[part] = book.scores(np.arange(part.start, part.stop))

    def columns(self, part: slice) -> dict[str, Any]:
        """The log's columns of answers and who gave them, of the rows `part`."""
        import pandas as pd

        answers = self.answers[part]
        found: dict[str, Any] = {"model_version": pd.array(self.version[part], dtype="str")}
        if answers.ndim == 1:
            return found | {"prediction": answers}
        best = np.where(np.isfinite(answers).all(axis=1), np.nan_to_num(answers).argmax(axis=1), np.nan)
        return found | {"prediction": best} | dict(zip(self.target.columns[1:], answers.T, strict=True))
