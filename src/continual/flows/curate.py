"""Choose the rows a retrain learns from and write them down as a dataset version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from continual.core.window import Window, utc
from continual.errors import NotEnoughData, Skipped
from continual.flows.champion import reconcile
from continual.flows.dataset_pin import pinned
from continual.flows.measure import labelled
from continual.flows.pool import pool_of
from continual.flows.workspace import Outcome, Workspace
from continual.models.recipe import recipe_hash
from continual.policy.windows import RetrainWindows, retrain_windows
from continual.samplers.base import Sample

if TYPE_CHECKING:
    import pandas as pd

    from continual.stores.datasets import DatasetVersion

#: What a dataset is read from.
STREAMS: tuple[Literal["predictions", "labels"], ...] = ("predictions", "labels")


def curate(ws: Workspace, as_of: datetime, cause: str) -> Outcome:
    """Window, sample, dataset version; data names the dataset and the trainers that may use it. Asked again for the
    same instant under the same policy, it is the first answer, whatever came into the log since.

    Raises
    ------
    NotEnoughData: too few rows or a hole in the window (s7). Skipped: every trainer's lineage is quarantined.
    """
    as_of = utc(as_of)
    settled = reconcile(ws, as_of)
    windows = retrain_windows(ws.policy, as_of)
    pin = pinned(ws, windows, as_of)
    trainers, excluded = _eligible(ws, pin.window if pin else windows.training)
    if not trainers:
        raise Skipped(
            "At least one trainer's lineage must be free.",
            "; ".join(excluded),
            "change its code or parameters, or release it with `continual quarantine release`.",
        )
    key = f"retrain:{as_of.isoformat()}:{ws.loaded.hash}"
    entry = ws.ledger.get(key)
    if entry is None:
        dataset, reason = pin.choice if pin else _choose_rows(ws, windows, as_of)
        record = {"cause": cause, "dataset": dataset.id, "excluded": excluded, "reconcile": settled}
        record |= {"pin": pin.key} if pin else {}
        entry = ws.ledger.append("retrain", key, as_of, f"{reason}: {cause}", record, ws.loaded.hash, ws.run)
    data = {"dataset": entry.evidence["dataset"], "trainers": trainers, "as_of": as_of.isoformat()}
    return Outcome("; ".join([entry.reason, *excluded]), {**data, "policy": ws.loaded.hash})


def _choose_rows(ws: Workspace, windows: RetrainWindows, as_of: datetime) -> tuple[DatasetVersion, str]:
    heads: dict[str, int] = {stream: head for stream in STREAMS if (head := ws.log.snapshot_id(stream)) is not None}
    pool = ws.log.read_labelled(windows.training, as_of, snapshots=heads)
    pool = pool[labelled(pool)].sort_values("record_key", ignore_index=True)
    _check_pool(ws, pool, windows.training)
    sample = ws.policy.sampler.draw(pool_of(ws, pool, as_of), ws.policy.seed)
    dataset = _store(ws, pool, sample, windows, as_of, heads)
    shown = f"{dataset.n_rows:,} of {len(pool):,} rows of {windows.training}"
    return dataset, f"dataset {dataset.id[:12]}: {shown}"


def _eligible(ws: Workspace, training: Window) -> tuple[list[str], list[str]]:
    """Trainers by name, and a sentence for each one left out."""
    free, out = [], []
    for trainer in ws.policy.trainers:
        blocked = ws.versions.blocked(recipe_hash(trainer, ws.policy.features), training)
        if blocked is None:
            free.append(trainer.name)
        else:
            out.append(f"trainer {trainer.name} left out, its lineage is quarantined: {blocked}")
    return free, out


def _check_pool(ws: Workspace, pool: pd.DataFrame, window: Window) -> None:
    policy = ws.policy.window
    if len(pool) < policy.min_rows:
        raise NotEnoughData(
            f"Training needs at least {policy.min_rows:,} labelled rows (window.min_rows).",
            f"{len(pool):,} in {window}.",
            "wait for labels, widen window.length or lower window.min_rows.",
        )
    times = np.sort(
        np.r_[np.datetime64(window.start.replace(tzinfo=None)), pool["event_time"].to_numpy("datetime64[us]")]
    )
    hole = np.diff(np.r_[times, np.datetime64(window.end.replace(tzinfo=None))])
    widest = int(hole.argmax())
    if hole[widest] > np.timedelta64(policy.max_hole):
        raise NotEnoughData(
            f"The training window must have no gap longer than {policy.max_hole} (window.max_hole).",
            f"{hole[widest].astype('timedelta64[h]')} after {str(times[widest])[:16]}Z.",
            "ingest the missing days or replay their quarantined batches, then start the retrain again.",
        )


def _store(
    ws: Workspace,
    pool: pd.DataFrame,
    sample: Sample,
    windows: RetrainWindows,
    as_of: datetime,
    heads: Mapping[str, int],
) -> DatasetVersion:
    from continual.stores.datasets import DatasetSpec

    columns = ["record_key", "event_time", "label", *ws.policy.columns]
    rows = pool.loc[sample.chosen, columns].assign(probability=sample.probability[sample.chosen])
    spec = DatasetSpec(
        purpose="train",
        window=windows.training,
        as_of=as_of,
        columns=tuple(rows.columns),
        snapshot_id=_name(heads, "predictions"),
        labels_snapshot_id=_name(heads, "labels"),
        sampler=ws.policy.sampler.model_dump(mode="json"),
        seed=ws.policy.seed,
    )
    return ws.datasets.save(spec, rows)


def _name(heads: Mapping[str, int], stream: str) -> str | None:
    return str(heads[stream]) if stream in heads else None
