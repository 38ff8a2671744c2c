"""The chance with which each row was to be labelled, beside the row: what makes estimates from chosen labels unbiased.

An application whose labels all come by themselves has no requests, and nothing changes for it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from continual.core.window import Window
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.requests import RequestStore

Floats = npt.NDArray[np.float64]
#: Column of the chance in (0, 1]; not a name a logged column can have.
INCLUSION = "inclusion probability"


def requests_of(ws: Workspace) -> RequestStore:
    """The application's label requests."""
    from continual.stores.requests import RequestStore

    return RequestStore(ws.db, ws.app)


def with_inclusion(ws: Workspace, frame: pd.DataFrame, window: Window, as_of: datetime) -> pd.DataFrame:
    """`frame` (n, ...) with record_key, event_time and label, and the column INCLUSION if labels were asked for in the
    window by `as_of`; the same frame otherwise.

    pi = 1 - (1 - r) prod_j (1 - pi_j) over the draws the row was in, r = share of that day's labels that came by
    themselves, measured on the rows that no draw chose: 0 where only chosen rows get labels, 1 once all of them have
    matured. A row that was in no draw has 1: whatever label it has came by itself. Rows of which a draw settled that
    their labels only train are left out, labelled or not: annotators may have seen a model's answer there.
    """
    return by_draws(frame, requests_of(ws).drawn(window, as_of))


def of_labelled(
    ws: Workspace, frame: pd.DataFrame, window: Window, as_of: datetime, judging: bool = True
) -> pd.DataFrame:
    """`with_inclusion` for a frame that has only labelled rows of the window: how many labels of a day came by
    themselves is seen on the others, whose keys are read from the log. judging: without rows that only train."""
    drawn = requests_of(ws).drawn(window, as_of)
    if drawn.empty:
        return frame
    drawn = drawn if judging else drawn.assign(training=False)
    whole = by_draws(ws.log.read_labelled(window, as_of, ["record_key", "event_time"]), drawn)
    frame = frame[frame["record_key"].isin(whole["record_key"])].reset_index(drop=True)
    chance = inclusion(whole)
    if chance is None:
        return frame
    by_key = whole.assign(**{INCLUSION: chance}).set_index("record_key")[INCLUSION]
    return frame.assign(**{INCLUSION: by_key.reindex(frame["record_key"]).to_numpy()})


def by_draws(frame: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """`with_inclusion` for draws that are read already, see `RequestStore.drawn`."""
    if drawn.empty:
        return frame
    frame = _judging(frame, drawn)
    at = drawn.set_index("key").reindex(frame["record_key"])
    left, chosen = at["left_out"].to_numpy(dtype=float), at["chosen"].fillna(False).to_numpy(dtype=bool)
    inside = np.isfinite(left)
    if not inside.any():
        return frame
    day = frame["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    came = _came(frame["label"].notna().to_numpy(dtype=bool), inside & ~chosen, day)
    return frame.assign(**{INCLUSION: np.where(inside, 1 - np.nan_to_num(left) * (1 - came), 1.0)})


def _judging(frame: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
    """Without the rows that only train: a random part of all, drawn by key whether they were chosen or not."""
    training = set(drawn.loc[drawn["training"], "key"])
    if not training:
        return frame
    return frame[~frame["record_key"].isin(training)].reset_index(drop=True)


def inclusion(frame: pd.DataFrame) -> Floats | None:
    """(n,) chances of a label, None where no row was drawn."""
    return frame[INCLUSION].to_numpy(dtype=float) if INCLUSION in frame.columns else None


def _came(known: npt.NDArray[np.bool_], unasked: npt.NDArray[np.bool_], day: npt.NDArray[np.int64]) -> Floats:
    """(n,) share of each row's day, among rows that nobody asked about, whose label is known."""
    _, index = np.unique(day, return_inverse=True)
    asked = np.bincount(index, weights=unasked)
    told = np.bincount(index, weights=unasked & known)
    return np.asarray((told / np.maximum(asked, 1))[index])
