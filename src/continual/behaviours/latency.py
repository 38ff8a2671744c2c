"""Latency: scoring must not get much slower than it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from continual.behaviours.base import Behaviour, Floats, Measured, Scorer, Subject

if TYPE_CHECKING:
    import pandas as pd

#: Turns of a block: the fewest that have a 95th percentile.
BLOCK = 20


class Latency(Behaviour):
    """95th percentile of the time to score a batch, as a multiple of the champion's.

    Both score the same batch in turns, so that a loaded machine slows both; the first turn of each warms up and does
    not count. The multiple is the median over blocks of 20 turns, because a burst of load may hit one of the two: with
    two to four times as much work as cores a model reached twice itself in 22% of single blocks of 20, and in none of
    60 tries with 200 repeats. Without a champion there is nothing to compare with and the test does not apply.
    """

    kind: Literal["latency"] = Field("latency", description="Time to score a batch, as a multiple of the champion's.")
    rows: int = Field(100, ge=1, le=100_000, description="Rows of the batch; repeated if fewer came recently.")
    repeats: int = Field(200, ge=20, le=10_000, description="Batches of each model; the more, the less load matters.")
    factor: float = Field(2.0, gt=0, allow_inf_nan=False, description="Largest multiple that is tolerated.")

    def default_name(self) -> str:
        return f"latency {self.rows}"

    @property
    def limit(self) -> float:
        return self.factor

    def measure(self, subject: Subject) -> Measured:
        if subject.champion is None:
            return Measured(None, self.factor, "not measured, there is no champion to compare with", applies=False)
        ours, theirs = (_p95(times) for times in self._times(subject, subject.champion))
        ratio = float(np.median(ours / np.maximum(theirs, 1e-9)))
        says = (
            f"{self.rows:,} rows take {1000 * np.median(ours):.3g} ms (95th percentile), {ratio:.2f} times the "
            f"champion's, tolerated are {self.factor:g}"
        )
        return Measured(ratio, self.factor, says)

    def _times(self, subject: Subject, champion: Scorer) -> tuple[list[float], list[float]]:
        batch = subject.rows.iloc[np.arange(self.rows) % len(subject.rows)].reset_index(drop=True)
        ours: list[float] = []
        theirs: list[float] = []
        pair = [(subject.candidate, ours), (champion, theirs)]
        for turn in range(self.repeats + 1):
            for scorer, times in pair if turn % 2 else reversed(pair):
                times.append(_time(subject, scorer, batch))
        return ours[1:], theirs[1:]


def _p95(times: list[float]) -> Floats:
    """95th percentile of every block of turns; about 20 turns each."""
    parts = np.array_split(np.asarray(times), max(len(times) // BLOCK, 1))
    return np.array([np.quantile(part, 0.95) for part in parts])


def _time(subject: Subject, scorer: Scorer, batch: pd.DataFrame) -> float:
    start = subject.seconds()
    scorer(batch)
    return subject.seconds() - start
