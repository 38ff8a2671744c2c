"""Metrics from the rows themselves, where a binned number is not exact enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from continual.core.slices import resolve
from continual.core.window import Window, utc
from continual.flows.day_rows import LIVE
from continual.flows.logged import labelled_rows
from continual.flows.measure import Floats, measure
from continual.flows.store_query import METRIC_COLUMNS, check_days, chosen, kept, metric_row, no_answer
from continual.flows.weights import with_inclusion
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


def metrics(
    ws: Workspace,
    window: Window,
    as_of: datetime,
    versions: Sequence[str] = (LIVE,),
    *,
    slices: Iterable[str] | None = None,
    kinds: Iterable[str] | None = None,
) -> pd.DataFrame:
    """`store_query.metrics` by reading every row of the window: no bins, and only rows the version answered. Chosen
    labels weigh 1 / their chance there, too.

    Raises
    ------
    ContinualError: as `store_query.metrics`.
    """
    import pandas as pd

    check_days(window)
    wanted = chosen(ws, kinds)
    frame = with_inclusion(ws, labelled_rows(ws, window, utc(as_of)), window, utc(as_of))
    found = resolve(ws.policy.slices, frame)
    rows = []
    for version in versions:
        answers = _answers(ws, frame, version, window, utc(as_of))
        use = np.logical_and.reduce(np.isfinite(answers).reshape(len(frame), -1), axis=1)
        if not use.any():
            raise no_answer([version], window)
        evidence = measure(frame[use].reset_index(drop=True), found, wanted, answers[use], None)
        for position, metric in enumerate(wanted):
            estimates = [item.metrics[position].candidate for item in evidence]
            named = kept([item.slice for item in evidence], estimates, slices)
            rows += [metric_row(version, name, metric, estimate) for name, estimate in named]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def _answers(ws: Workspace, frame: pd.DataFrame, version: str, window: Window, as_of: datetime) -> Floats:
    """As served; of a version as served by it, else as scored afterwards, else NaN."""
    target = ws.policy.label.target
    served = target.answers(frame)
    if version == LIVE:
        return served
    scored = ws.log.read_scores(window, version, as_of).set_index("record_key")
    later = target.answers(scored.reindex(columns=list(target.columns)).reindex(frame["record_key"]))
    own = (frame["model_version"] == version).to_numpy(dtype=bool)
    return np.where(own if served.ndim == 1 else own[:, None], served, later)
