"""Choose the rows a retrain learns from and write them down as a dataset version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from continual.core.stats.effective import effective_size
from continual.core.window import Window, utc
from continual.errors import Skipped
from continual.flows import training_pool, unlabelled
from continual.flows.champion import reconcile
from continual.flows.choose_window import Contender, best, contenders
from continual.flows.dataset_pin import Pin, pinned
from continual.flows.measure import labelled
from continual.flows.pool import pool_of
from continual.flows.weights import inclusion, of_labelled
from continual.flows.workspace import Outcome, Workspace
from continual.models.recipe import recipe_hash
from continual.policy.windows import retrain_windows, training_window
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
    NotEnoughData: too few rows or a hole in the window (s7). Skipped: every trainer's lineage is quarantined, or an
    old version wins (`flows.zoo`).
    """
    as_of = utc(as_of)
    settled = reconcile(ws, as_of)
    windows = retrain_windows(ws.policy, as_of)
    pin = pinned(ws, windows, as_of)
    key = f"retrain:{as_of.isoformat()}:{ws.loaded.hash}"
    entry = ws.ledger.get(key)
    if entry is not None and entry.evidence["dataset"] is None:
        raise Skipped("Nothing is trained where an old version wins.", entry.reason, "nothing; see the task zoo.")
    if entry is None:
        dataset, reason, record = _pinned(pin) if pin else _chosen(ws, windows.evaluation.start, as_of)
        record |= {"cause": cause, "dataset": dataset.id, "reconcile": settled}
        record |= {"excluded": _some_eligible(ws, dataset.spec.window)[1]}
        entry = ws.ledger.append("retrain", key, as_of, f"{reason}: {cause}", record, ws.loaded.hash, ws.run)
    trained = ws.datasets.get(entry.evidence["dataset"])
    trainers, excluded = _some_eligible(ws, trained.spec.window)
    data = {"dataset": trained.id, "trainers": trainers, "as_of": as_of.isoformat()}
    return Outcome("; ".join([entry.reason, *excluded]), {**data, "policy": ws.loaded.hash})


def _pinned(pin: Pin) -> tuple[DatasetVersion, str, dict[str, Any]]:
    return *pin.choice, {"pin": pin.key}


def _chosen(ws: Workspace, split: datetime, as_of: datetime) -> tuple[DatasetVersion, str, dict[str, Any]]:
    """The dataset, one line for people, and what the ledger should know of the windows that were looked at."""
    windows = [training_window(ws.policy, choice, split) for choice in ws.policy.window.choices]
    if not any(_eligible(ws, window)[0] for window in windows):
        _some_eligible(ws, windows[0])
    found = [item for item in contenders(ws, split, as_of) if _eligible(ws, item.window)[0]]
    used = best(found, ws.policy.primary.higher_is_better)
    dataset, reason = _choose_rows(ws, used, as_of)
    if len(found) == 1:
        return dataset, reason, {}
    record = {"windows": [item.as_dict() for item in found], "used": used.choice.label}
    return dataset, f"{reason}; window {used.choice.label} of {len(found)} by forward validation", record


def _choose_rows(ws: Workspace, used: Contender, as_of: datetime) -> tuple[DatasetVersion, str]:
    heads: dict[str, int] = {stream: head for stream in STREAMS if (head := ws.log.snapshot_id(stream)) is not None}
    rows = training_pool.read(ws, used.window, as_of, heads, unlabelled.wanted(ws.policy))
    pool = training_pool.usable(ws.policy.window, rows, used.window)
    sample = ws.policy.sampler.draw(pool_of(ws, pool, as_of), ws.policy.seed)
    chosen = _chosen_rows(ws, pool, sample)
    if ws.policy.window.weigh_by_probability:
        asked = inclusion(of_labelled(ws, chosen, used.window, as_of, judging=False))
        chosen = chosen if asked is None else chosen.assign(probability=chosen["probability"] * asked)
    dataset, worth = _store(ws, unlabelled.beside(chosen, rows.spare), used, as_of, heads)
    taken = int(sample.chosen.sum())
    shown = f"{taken:,} of {len(pool):,} rows of {used.window}"
    shown += f" and {dataset.n_rows - taken:,} without a label" if dataset.n_rows > taken else ""
    shown += "" if worth is None else f", weighted, worth {worth:,.0f}"
    return dataset, "; ".join([f"dataset {dataset.id[:12]}: {shown}", *rows.left_out])


def _some_eligible(ws: Workspace, training: Window) -> tuple[list[str], list[str]]:
    trainers, excluded = _eligible(ws, training)
    if not trainers:
        raise Skipped(
            "At least one trainer's lineage must be free.",
            "; ".join(excluded),
            "change its code or parameters, or release it with `continual quarantine release`.",
        )
    return trainers, excluded


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


def _chosen_rows(ws: Workspace, pool: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    columns = ["record_key", "event_time", "label", *ws.policy.columns]
    rows = pool.loc[sample.chosen, columns].assign(probability=sample.probability[sample.chosen])
    return rows.reset_index(drop=True)


def _store(
    ws: Workspace,
    rows: pd.DataFrame,
    used: Contender,
    as_of: datetime,
    heads: Mapping[str, int],
) -> tuple[DatasetVersion, float | None]:
    """The dataset, and how many equally weighted rows it is worth; None = all weigh the same."""
    from continual.stores.datasets import DatasetSpec

    weight = training_pool.weights(ws.policy.window, used.choice, rows, used.window.end)
    rows = rows if weight is None else rows.assign(**{training_pool.WEIGHT: weight})
    spec = DatasetSpec(
        purpose="train",
        window=used.window,
        as_of=as_of,
        columns=tuple(rows.columns),
        snapshot_id=_name(heads, "predictions"),
        labels_snapshot_id=_name(heads, "labels"),
        sampler=ws.policy.sampler.model_dump(mode="json"),
        seed=ws.policy.seed,
    )
    worth = None if weight is None else effective_size(weight[labelled(rows)])
    return ws.datasets.save(spec, rows), worth


def _name(heads: Mapping[str, int], stream: str) -> str | None:
    return str(heads[stream]) if stream in heads else None
