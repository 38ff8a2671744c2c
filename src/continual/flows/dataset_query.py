"""What is known of dataset versions: how they were made, what is in them, where it came from, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from continual.core.projection import with_projections
from continual.core.slices import masks, resolve
from continual.core.stats.effective import effective_size as kish
from continual.flows.dataset_pin import waiting_dataset
from continual.flows.drift_query import between
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.datasets import DatasetVersion

#: Of a dataset, by the log: None = the row is no longer there.
LIST_COLUMNS = (
    "id", "purpose", "window", "as_of", "rows", "sampler", "versions", "champion", "pinned", "erased", "withdrawn"
)  # fmt: skip


def listed(ws: Workspace) -> pd.DataFrame:
    """One row a dataset version, oldest first, LIST_COLUMNS; versions: trained from it."""
    import pandas as pd

    withdrawn, pinned = ws.withdrawals.effects("dataset"), waiting_dataset(ws)
    reign = ws.champions.current()
    rows = []
    for found in ws.datasets.all():
        versions = [v.version for v in ws.versions.versions(dataset_id=found.id)]
        sampler = (found.spec.sampler or {}).get("kind")
        made = (found.id, found.spec.purpose, str(found.spec.window), found.spec.as_of, found.n_rows, sampler)
        serves = reign is not None and reign.version in versions
        gone = sum(n for _, n in withdrawn.get(found.id, []))
        rows.append((*made, versions, serves, found.id == pinned, found.n_erased, gone))
    return pd.DataFrame(rows, columns=list(LIST_COLUMNS))


def shown(ws: Workspace, dataset_id: str) -> dict[str, Any]:
    """JSON: specification, slices, files, versions and verdicts of one dataset.

    Raises
    ------
    StoreError: no such dataset, or its file is gone or was changed.
    """
    found = ws.datasets.get(dataset_id)
    rows, spec = ws.datasets.load(found.id), found.spec
    versions = ws.versions.versions(dataset_id=found.id)
    marks = ws.withdrawals.effects("dataset").get(found.id, [])
    return {
        "id": found.id,
        "purpose": spec.purpose,
        "window": spec.window.as_dict(),
        "as_of": spec.as_of,
        "snapshots": {"predictions": spec.snapshot_id, "labels": spec.labels_snapshot_id},
        "sampler": spec.sampler,
        "seed": spec.seed,
        "rows": len(rows),
        "unlabelled": int(rows["label"].isna().sum()) if "label" in rows else 0,
        "erased": found.n_erased,
        "withdrawn": [{"withdrawal": w.id, "rows": n, "reason": w.reason} for w, n in marks],
        "columns": list(spec.columns),
        "effective_sample_size": effective_size(rows),
        "slices": _slices(ws, rows),
        "files": files(ws, found, rows),
        "versions": [{"version": v.version, "state": v.state, "run": v.run_id} for v in versions],
        "verdicts": _verdicts(ws, {v.version for v in versions}),
    }


def effective_size(rows: pd.DataFrame) -> float:
    """(sum w)^2 / sum w^2 (Kish 1965) of rows with a label. w: `sample_weight` where a row carries what training used,
    else 1 / probability: how many rows of a plain draw tell as much of the whole; the number of rows when neither is
    there."""
    rows = rows[rows["label"].notna()] if "label" in rows else rows
    if "sample_weight" in rows:
        weight = rows["sample_weight"].to_numpy(dtype=float)
    elif "probability" in rows:
        weight = 1 / rows["probability"].to_numpy(dtype=float)
    else:
        return float(len(rows))
    return kish(weight)


def _slices(ws: Workspace, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows, share, and of a binary label the share of ones, of a number its mean."""
    frame = with_projections(rows, ws.policy.projections)
    slices = resolve(ws.policy.slices, frame)
    label = rows["label"].to_numpy(dtype=float) if "label" in rows else np.full(len(rows), np.nan)
    out = []
    for name, mask in masks(slices, frame).items():
        n = int(mask.sum())
        mean = float(np.nanmean(label[mask])) if n and np.isfinite(label[mask]).any() else None
        out.append({"slice": name, "rows": n, "share": n / len(rows) if len(rows) else None, "label_mean": mean})
    return out


def files(ws: Workspace, found: DatasetVersion, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Delivered files the rows came in, most rows first; without a batch: rows that are in the log no more."""
    from continual.stores.batches import batch_id

    spec = found.spec
    logged = ws.log.read_predictions(spec.window, spec.as_of, ["record_key", "batch_id"])
    counts = rows[["record_key"]].merge(logged, on="record_key", how="left")["batch_id"].fillna("").value_counts()
    names = {batch_id(ws.app, b.stream, b.content_hash): b.name for b in ws.batches.batches(stream="predictions")}
    found_in = {str(one): int(n) for one, n in counts.items()}
    return [{"batch": one or None, "file": names.get(one), "rows": n} for one, n in found_in.items()]


def _verdicts(ws: Workspace, versions: set[str]) -> list[dict[str, Any]]:
    judged = {e.key: e for e in ws.ledger.entries(kind="evaluation")}
    out = []
    for entry in ws.ledger.entries(kind="verdict"):
        evaluation = judged.get(entry.evidence["evaluation"]["key"])
        candidate = evaluation.evidence["gate"]["candidate"] if evaluation else None
        if candidate in versions:
            answer = entry.evidence["verdict"]["answer"]
            out.append({"version": candidate, "answer": answer, "as_of": entry.as_of, "reason": entry.reason})
    return out


@dataclass(frozen=True)
class Difference:
    """From one dataset to another. changed: rows of both whose columns (but label and how they were drawn) differ;
    relabelled: whose label differs. drift: as of `drift_query.between`, first against second."""

    first: str
    second: str
    rows: tuple[int, int]
    added: int
    removed: int
    relabelled: int
    changed: int
    drift: pd.DataFrame

    def as_dict(self) -> dict[str, Any]:
        frame = self.drift.astype(object).where(self.drift.notna(), None)
        return {**vars(self), "drift": frame.to_dict("records")}


def difference(ws: Workspace, first: str, second: str) -> Difference:
    """What changed from the dataset `first` to `second`.

    Raises
    ------
    StoreError: one of them is not there or was changed.
    """
    one, two = ws.datasets.get(first), ws.datasets.get(second)
    before, now = ws.datasets.load(one.id), ws.datasets.load(two.id)
    both = before.merge(now, on="record_key", suffixes=("", " now"), validate="one_to_one")
    shared = [c for c in before.columns if c in now.columns and c != "record_key"]
    differing = {c: unequal(both[c], both[f"{c} now"]) for c in shared}
    drawn = {"label", "probability", "sample_weight"}
    content = [mask for name, mask in differing.items() if name not in drawn]
    changed = np.logical_or.reduce(content) if content else np.zeros(len(both), dtype=bool)
    wanted = [c for c in [*ws.policy.columns, "label"] if c in shared]
    return Difference(
        first=one.id,
        second=two.id,
        rows=(len(before), len(now)),
        added=len(now) - len(both),
        removed=len(before) - len(both),
        relabelled=int(differing["label"].sum()) if "label" in differing else 0,
        changed=int(changed.sum()),
        drift=between(ws, before, now, wanted),
    )


def unequal(one: pd.Series[Any], two: pd.Series[Any]) -> Any:
    """(n,) values that differ; two that are missing do not."""
    differs = (one != two).fillna(True).to_numpy(dtype=bool)
    return differs & ~(one.isna() & two.isna()).to_numpy(dtype=bool)
