"""One paired comparison of two versions on the rows of a window."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from continual.core.estimate import Comparison
from continual.core.window import Window
from continual.flows.measure import labelled, rows_in
from continual.flows.serving_check import answers
from continual.flows.training_rows import training_rows, unseen
from continual.flows.weights import with_inclusion
from continual.flows.workspace import Workspace


def compare_overall(ws: Workspace, version: str, against: str, window: Window, as_of: datetime) -> Comparison:
    """`version` minus `against` in the primary metric, on the labelled rows that neither was trained on; positive =
    `version` is better.

    Raises
    ------
    ModelUnavailable: one of the two does not load or score.
    """
    frame = unseen(ws.log.read_labelled(window, as_of), training_rows(ws, version, against))
    frame = with_inclusion(ws, frame, window, as_of)
    use = labelled(frame)
    rows = rows_in(frame, np.ones(len(frame), dtype=bool), ws.policy.primary.needs)
    ours, theirs = (answers(ws, v, frame[use]) for v in (version, against))
    return ws.policy.primary.compare(rows, ours, theirs)
