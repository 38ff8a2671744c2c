"""Is a dataset still what the log says it was? Its rows are read again from the Iceberg snapshots it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from continual.errors import StoreError
from continual.flows.dataset_query import unequal
from continual.flows.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.datasets import DatasetSpec


def verify(ws: Workspace, dataset_id: str) -> Outcome:
    """data['reproduced']: the rows, read again as of the snapshots and the instant they were chosen at, with what the
    sampler said of them, have the dataset's hash. Columns the log does not hold (probability, ...) are taken as saved.

    Raises
    ------
    StoreError: the file or a snapshot is gone, or the dataset was made before labels' snapshots were recorded.
    """
    found = ws.datasets.get(dataset_id)
    saved = ws.datasets.load(found.id)
    again = _read_again(ws, found.spec, saved)
    left = found.n_erased == 0 and ws.datasets.identity(found.spec, again) == found.id
    missing = sorted(set(saved["record_key"]) - set(again["record_key"]))
    differing = {} if missing else {str(c): n for c in saved if (n := int(unequal(saved[c], again[c]).sum()))}
    said = f"{len(saved):,} rows read again"
    if left:
        reason = f"{said} have the hash {found.id[:12]}: reproduced"
    elif found.n_erased:
        reason = f"not reproducible: {found.n_erased:,} rows were erased"
    else:
        cells = ", ".join(f"{n:,} of {name}" for name, n in differing.items()) or "none"
        reason = f"{said}: NOT reproduced; {len(missing):,} are in the log no more, values that differ: {cells}"
    return Outcome(reason, {"dataset": found.id, "reproduced": left, "missing": len(missing), "differing": differing})


def _read_again(ws: Workspace, spec: DatasetSpec, saved: pd.DataFrame) -> pd.DataFrame:
    """In the saved order, in the saved columns."""
    logged = ws.log.read_predictions(spec.window, spec.as_of, snapshot_id=_snapshot(spec.snapshot_id)).columns
    columns = [str(c) for c in saved if c in logged]
    snapshots = {"predictions": _snapshot(spec.snapshot_id), "labels": _snapshot(spec.labels_snapshot_id)}
    rows = ws.log.read_labelled(spec.window, spec.as_of, columns, snapshots=snapshots)
    rows = rows.set_index("record_key", drop=False)
    rows = rows.loc[[key for key in saved["record_key"] if key in rows.index]].reset_index(drop=True)
    if len(rows) < len(saved):
        return rows
    taken: dict[str, Any] = {str(c): saved[c] for c in saved if c not in rows}
    return rows.assign(**taken)[list(saved.columns)]


def _snapshot(name: str | None) -> int:
    if name is None or not name.isdigit():
        raise StoreError(
            "A dataset is read again from the snapshots of predictions and labels it was made of.",
            "one of them was not recorded: it was made by an earlier release.",
            "its rows are safe in its own file; datasets made from now on can be verified.",
        )
    return int(name)
