"""The rows that judge a candidate: of a window, labelled as known by an instant, none of them trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.slices import Slice
from continual.core.verdict import SliceEvidence
from continual.core.window import Window
from continual.flows.logged import labelled_rows
from continual.flows.measure import Floats, measure
from continual.flows.serving_check import answers
from continual.flows.training_rows import training_rows, unseen
from continual.flows.weights import with_inclusion
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class JudgedRows:
    """kept: (n, ...) rows neither model has seen. ours, theirs: (n,) or (n, K) answers; theirs None without a
    champion. trained: the two datasets. leaked: rows left out."""

    kept: pd.DataFrame
    ours: Floats
    theirs: Floats | None
    trained: Sequence[pd.DataFrame]
    leaked: int

    def evidence(self, ws: Workspace, slices: Sequence[Slice]) -> tuple[SliceEvidence, ...]:
        """Every metric of the policy on these slices."""
        return measure(self.kept, slices, ws.policy.metrics, self.ours, self.theirs, ws.policy.gate.reads_noise)


def judged_rows(ws: Workspace, candidate: str, champion: str | None, window: Window, as_of: datetime) -> JudgedRows:
    """Both models score the same rows anew, each with its own preprocessing.

    Raises
    ------
    ModelUnavailable: one of the two does not load or score.
    """
    frame = labelled_rows(ws, window, as_of)
    trained = training_rows(ws, candidate, champion)
    fresh = unseen(frame, trained)
    kept = with_inclusion(ws, fresh, window, as_of)
    theirs = answers(ws, champion, kept) if champion else None
    return JudgedRows(kept, answers(ws, candidate, kept), theirs, trained, len(frame) - len(fresh))
