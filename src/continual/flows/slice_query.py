"""Which slices a window has, and which weak ones nobody named yet."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from continual.core.slices import masks, resolve
from continual.core.window import Window, utc
from continual.flows.logged import labelled_rows
from continual.flows.measure import labelled
from continual.flows.weights import inclusion, with_inclusion
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.core.discovery import WeakSlice

SLICE_COLUMNS = ("slice", "n", "n_labelled", "tier", "parent", "predicate")


def slices(ws: Workspace, window: Window, as_of: datetime) -> pd.DataFrame:
    """Every slice of the window, one row each, SLICE_COLUMNS; n, n_labelled: rows, and rows with a label."""
    import pandas as pd

    columns = sorted({column for spec in ws.policy.slices for column in spec.columns})
    frame = labelled_rows(ws, window, utc(as_of), ["record_key", *columns])
    found, known = resolve(ws.policy.slices, frame), labelled(frame)
    inside = masks(found, frame)
    rows = [
        (s.name, int(inside[s.name].sum()), int((inside[s.name] & known).sum()), s.tier, s.parent, s.predicate)
        for s in found
    ]
    return pd.DataFrame(rows, columns=list(SLICE_COLUMNS))


def discover(ws: Workspace, window: Window, as_of: datetime, literals: int, min_rows: int) -> list[WeakSlice]:
    """Conjunctions of at most `literals` conditions over features and tags on which the live model loses more than on
    the other rows (`Target.loss`): proposed by the earlier half of the days, confirmed by the later half. Chosen labels
    weigh 1 / their chance.

    Raises
    ------
    NotEnoughData: labelled rows of too few days.
    """
    from continual.core.discovery import Terms
    from continual.core.discovery import discover as search

    target, columns = ws.policy.label.target, ws.policy.sliceable
    wanted = list(dict.fromkeys(["record_key", "event_time", *target.columns, *columns]))
    frame = with_inclusion(ws, labelled_rows(ws, window, utc(as_of), wanted), window, utc(as_of))
    answers = target.answers(frame)
    use = labelled(frame) & np.isfinite(answers).reshape(len(frame), -1).all(axis=1)
    label = frame["label"].to_numpy(dtype=float, na_value=np.nan)[use]
    rows = frame[use].reset_index(drop=True)
    chance = inclusion(rows)
    terms = Terms(max_literals=literals, support=min_rows)
    weight = None if chance is None else 1 / chance
    return search(rows, target.loss(answers[use], label), columns, terms=terms, weight=weight)
