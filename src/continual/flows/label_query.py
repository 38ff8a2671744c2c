"""When labels come, on every slice, and whether their delay can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.slices import masks, resolve
from continual.core.window import Window, utc
from continual.flows.logged import labelled_rows
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.core.label_delay import DelayDependence
    from continual.core.label_lag import LagCurve

#: Of the lag curve: hours until half, nine tenths and 99% of all rows of the slice have their label; null = never seen.
QUANTILES = {"half_after": 0.5, "most_after": 0.9, "nearly_all_after": 0.99}
LABEL_COLUMNS = (
    "slice", "n", "arrived", "pending", "overdue", "never", "share", "of_due", *QUANTILES, "never_comes"
)  # fmt: skip


def labels(ws: Workspace, window: Window, as_of: datetime, *, slices: Iterable[str] | None = None) -> pd.DataFrame:
    """State of the labels of a window's rows, one row a slice, LABEL_COLUMNS.

    arrived, pending (younger than `label.lag`), overdue, never (older than `label.never_after`): rows. share: labelled
    of all; of_due: of those that are not pending. half_after, most_after, nearly_all_after: hours, from all rows, young
    ones too (Kaplan & Meier 1958). never_comes: share that had not come by the longest lag seen.
    """
    import pandas as pd

    from continual.core.label_lag import coverage_table, label_states, lag_curves

    label = ws.policy.label
    event, known, inside = _rows(ws, window, utc(as_of), slices)
    states = label_states(event, known, utc(as_of), label.lag, label.given_up_after)
    curves = lag_curves(event, known, utc(as_of), inside)
    rows = [{**found.as_dict(), **_lags(curves[found.slice])} for found in coverage_table(states, inside)]
    return pd.DataFrame(rows, columns=list(LABEL_COLUMNS))


def curve(ws: Workspace, window: Window, as_of: datetime, name: str) -> LagCurve:
    """The label-lag curve of one slice.

    Raises
    ------
    ContinualError: no such slice in the window.
    """
    from continual.core.label_lag import lag_curves

    event, known, inside = _rows(ws, window, utc(as_of), [name])
    return lag_curves(event, known, utc(as_of), inside)[name]


def delay(ws: Workspace, window: Window, as_of: datetime) -> DelayDependence:
    """Does the delay of a label tell its value? If so, early labels are a biased sample."""
    from continual.core.label_delay import delay_depends_on_outcome

    frame = ws.log.read_labelled(window, utc(as_of), ["event_time"])
    event, known = _instants(frame, "event_time"), _instants(frame, "label_known_at")
    matured = ws.policy.label.given_up_after
    return delay_depends_on_outcome(event, known, frame["label"].to_numpy(dtype=float), utc(as_of), matured)


def _rows(ws: Workspace, window: Window, as_of: datetime, wanted: Iterable[str] | None) -> tuple[Any, Any, Any]:
    """(n,) event times, (n,) instants the labels were known at (NaT: not), masks by slice."""
    from continual.flows.store_query import kept

    columns = sorted({column for spec in ws.policy.slices for column in spec.columns})
    frame = labelled_rows(ws, window, as_of, ["event_time", *columns])
    found = masks(resolve(ws.policy.slices, frame), frame)
    inside = dict(kept(list(found), list(found.values()), wanted))
    return _instants(frame, "event_time"), _instants(frame, "label_known_at"), inside


def _instants(frame: pd.DataFrame, name: str) -> Any:
    return frame[name].dt.tz_convert(None).to_numpy(dtype="datetime64[us]")


def _lags(found: LagCurve) -> dict[str, float | None]:
    waits = {name: found.quantile(share) for name, share in QUANTILES.items()}
    hours = {name: None if wait is None else wait.total_seconds() / 3600 for name, wait in waits.items()}
    return {**hours, "never_comes": found.plateau}
