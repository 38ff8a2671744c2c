"""Rows of the log with the policy's computed columns (projections), which exist for all history at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.projection import Projection, with_projections
from continual.core.window import Window
from continual.flows.workspace import Workspace
from continual.policy.models import Policy

if TYPE_CHECKING:
    import pandas as pd


def labelled_rows(ws: Workspace, window: Window, as_of: datetime, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """`PredictionLog.read_labelled`; columns may name projections, None = all of both."""
    logged = None if columns is None else logged_columns(ws.policy, columns)
    return _computed(ws.policy, ws.log.read_labelled(window, as_of, logged), columns)


def prediction_rows(
    ws: Workspace, window: Window, as_of: datetime, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """`PredictionLog.read_predictions`; columns may name projections, None = all of both."""
    logged = None if columns is None else logged_columns(ws.policy, columns)
    return _computed(ws.policy, ws.log.read_predictions(window, as_of, logged), columns)


def logged_columns(policy: Policy, names: Iterable[str]) -> list[str]:
    """What must be read to have `names`: a projection is replaced by what it is made of."""
    out: list[str] = []
    for name in names:
        projection = policy.projections.get(name)
        out += [name] if projection is None else logged_columns(policy, projection.columns)
    return list(dict.fromkeys(out))


def computed(policy: Policy, names: Iterable[str]) -> dict[str, Projection]:
    """The projections that `names` need, those that they read included."""
    out: dict[str, Projection] = {}
    for name in names:
        projection = policy.projections.get(name)
        if projection is not None:
            out |= computed(policy, projection.columns) | {name: projection}
    return out


def _computed(policy: Policy, frame: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    wanted = policy.projections if columns is None else computed(policy, columns)
    return with_projections(frame, wanted)
