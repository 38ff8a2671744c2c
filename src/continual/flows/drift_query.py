"""How far the inputs and answers of a window are from those of an earlier one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.slices import masks, resolve
from continual.core.verdict import OVERALL
from continual.core.window import Window, utc
from continual.errors import ContinualError
from continual.flows.logged import prediction_rows
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.core.histogram import Distribution

DRIFT_COLUMNS = (
    "column", "distance", "value", "low", "high", "expected", "n_reference", "n_current", "method"
)  # fmt: skip
DEFAULT = ("l1", "psi", "ks", "missing_rate")


def drift(
    ws: Workspace,
    window: Window,
    reference: Window,
    as_of: datetime,
    *,
    columns: Iterable[str] | None = None,
    distances: Iterable[str] = DEFAULT,
    slice_name: str = OVERALL,
) -> pd.DataFrame:
    """Distances of every column between `reference` and `window`, one row each, DRIFT_COLUMNS; undefined = null.

    Effect sizes with 95% intervals; `expected` is what chance gives when nothing has changed. columns: features, tags
    or `prediction`; default all.

    Raises
    ------
    ContinualError: an unknown column or slice. UnknownKind: an unknown distance.
    """
    wanted = _columns(ws, columns)
    before, now = (_rows(ws, w, utc(as_of), wanted, slice_name) for w in (reference, window))
    return between(ws, before, now, wanted, distances)


def between(
    ws: Workspace, before: pd.DataFrame, now: pd.DataFrame, wanted: Iterable[str], distances: Iterable[str] = DEFAULT
) -> pd.DataFrame:
    """`drift` of any two frames of rows with event_time and the columns `wanted`."""
    import pandas as pd

    from continual.distances.base import DISTANCES

    kinds = [DISTANCES.build({"kind": kind}) for kind in distances]
    rows = []
    for name in wanted:
        sides = _sides(ws, name, before, now)
        rows += [{"column": name, "distance": kind.kind, **_measured(kind, sides)} for kind in kinds]
    return pd.DataFrame(rows, columns=list(DRIFT_COLUMNS))


def _columns(ws: Workspace, columns: Iterable[str] | None) -> list[str]:
    known = [*ws.policy.sliceable, *ws.policy.label.target.columns]
    wanted = known if columns is None else list(columns)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ContinualError(
            "A column must be a feature, a tag or an answer.",
            f"{', '.join(unknown)}.",
            f"use one of {', '.join(known)}.",
        )
    return wanted


def _rows(ws: Workspace, window: Window, as_of: datetime, wanted: list[str], name: str) -> pd.DataFrame:
    sliced = {column for spec in ws.policy.slices for column in spec.columns}
    frame = prediction_rows(ws, window, as_of, list(dict.fromkeys(["event_time", *wanted, *sorted(sliced)])))
    found = masks(resolve(ws.policy.slices, frame), frame)
    if name not in found:
        raise ContinualError(
            "A slice must have rows in both windows.", f"{name!r} has none in {window}.", "look at `continual slices`."
        )
    return frame[found[name]]


def _sides(
    ws: Workspace, name: str, before: pd.DataFrame, now: pd.DataFrame
) -> tuple[Distribution, Distribution] | str:
    from continual.core.histogram import of_numbers, of_values, quantile_edges

    day = [_day_numbers(frame) for frame in (before, now)]
    if name not in {*ws.policy.features.numeric, *ws.policy.features.extra, *ws.policy.label.target.columns, "label"}:
        first, second = (
            of_values(f[name].to_numpy(dtype=object), day=d) for f, d in zip((before, now), day, strict=True)
        )
        return first, second
    numbers = [frame[name].to_numpy(dtype=float, na_value=np.nan) for frame in (before, now)]
    if not np.isfinite(numbers[0]).any():
        return "undefined: the reference has no value"
    edges = quantile_edges(numbers[0])
    return of_numbers(numbers[0], edges, day=day[0]), of_numbers(numbers[1], edges, day=day[1])


def _day_numbers(frame: pd.DataFrame) -> Any:
    return frame["event_time"].to_numpy(dtype="datetime64[D]").astype(np.int64)


def _measured(kind: Any, sides: tuple[Distribution, Distribution] | str) -> dict[str, Any]:
    if isinstance(sides, str):
        return {"n_reference": 0, "n_current": 0, "method": sides}
    found: dict[str, Any] = kind.between(*sides).as_dict()
    return found
