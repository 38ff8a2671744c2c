"""What rests on rows that are to be withdrawn: days of cells, datasets, model versions, verdicts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.window import Window
from continual.core.withdrawal import Scope
from continual.flows.withdrawn_rows import everything
from continual.flows.workspace import Workspace
from continual.stores.withdrawals import Effect

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["record_key", "event_time", "known_at"]


def in_use(ws: Workspace, scope: Scope, as_of: datetime) -> pd.DataFrame:
    """Rows of the scope that reads as of that instant still see: record_key, event_time (of the prediction; NaT when a
    label has none), known_at."""
    return _labels(ws, scope, as_of) if scope.stream == "labels" else _predictions(ws, scope, as_of)


def _predictions(ws: Workspace, scope: Scope, as_of: datetime) -> pd.DataFrame:
    wanted = list(dict.fromkeys([*COLUMNS, *scope.columns]))
    frame = ws.log.read_predictions(scope.window, as_of, wanted)
    return frame.loc[scope.mask(frame), COLUMNS].reset_index(drop=True)


def _labels(ws: Workspace, scope: Scope, as_of: datetime) -> pd.DataFrame:
    """Of several labels of a key only the one in use counts."""
    frame = ws.log.read_labels(None, as_of)
    gone = frame.loc[scope.mask(frame), ["record_key", "known_at"]]
    events = ws.log.read_predictions(everything(ws), as_of, ["record_key", "event_time"])
    return gone.merge(events, on="record_key", how="left")[COLUMNS].reset_index(drop=True)


def affected(ws: Workspace, rows: pd.DataFrame) -> list[Effect]:
    """rows: of `in_use`. By kind, each with how many of the rows it rests on."""
    days = rows["event_time"].dropna().dt.strftime("%Y-%m-%d").value_counts().sort_index()
    datasets = ws.datasets.counts(rows["record_key"].tolist())
    versions = {v.version: datasets[v.dataset_id] for v in ws.versions.versions() if v.dataset_id in datasets}
    found = [Effect("day", str(day), int(n)) for day, n in days.items()]
    found += [Effect("dataset", dataset, n) for dataset, n in datasets.items()]
    found += [Effect("version", version, n) for version, n in versions.items()]
    return [*found, *_verdicts(ws, rows)]


def _verdicts(ws: Workspace, rows: pd.DataFrame) -> list[Effect]:
    """Evaluations of the gate whose window holds rows that were known when they were made."""
    out = []
    for entry in ws.ledger.entries(kind="evaluation"):
        window = Window.from_dict(entry.evidence["gate"]["window"])
        inside = (rows["event_time"] >= window.start) & (rows["event_time"] < window.end)
        n = int((inside & (rows["known_at"] <= entry.as_of)).sum())
        out += [Effect("verdict", entry.key, n)] if n else []
    return out
