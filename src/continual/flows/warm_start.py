"""Which version a candidate continues, and when it must start anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from continual.errors import ModelUnavailable, StoreError
from continual.flows.serving_check import load_version
from continual.flows.workspace import Workspace
from continual.models import warm
from continual.models.registry import CANDIDATE

if TYPE_CHECKING:
    from continual.stores.datasets import DatasetVersion
    from continual.stores.versions import ModelVersion


@dataclass(frozen=True)
class Base:
    """version: continued, None = the candidate starts anew. key: of what the version was made from. why: for people;
    '' where the trainer never continues."""

    version: str | None
    key: str | None
    why: str


def base_for(ws: Workspace, trainer: Any, recipe: str, dataset: DatasetVersion) -> Base:
    """The champion as it was before the dataset's instant, if the same recipe made it and nothing is wrong with what it
    learnt; never longer than `refit_every` after the last start anew. The same for every retry."""
    if trainer.warm_start is None:
        return Base(None, None, "")
    reigns = [r for r in ws.champions.read() if r.as_of < dataset.spec.as_of]
    champion = ws.versions.get(reigns[-1].version) if reigns else None
    if champion is None or champion.recipe_hash != recipe:
        return Base(None, None, "anew: the champion is none of this recipe")
    lineage = ws.versions.lineage(champion.version)
    why = tainted(ws, lineage) or _due(ws, trainer, lineage[-1], dataset)
    if why:
        return Base(None, None, f"anew: {why}")
    key = ws.registry.version(champion.version).tags.get(CANDIDATE)
    return Base(champion.version, key, f"continues version {champion.version}")


def tainted(ws: Workspace, lineage: list[ModelVersion]) -> str | None:
    """What is wrong with what a version, or one that it continues, learnt; None = nothing."""
    withdrawn = ws.withdrawals.effects("version")
    for one in lineage:
        if one.state == "quarantined":
            return f"version {one.version} is quarantined"
        if one.version in withdrawn:
            return f"version {one.version} learnt from rows withdrawn since"
    return None


def _due(ws: Workspace, trainer: Any, first: ModelVersion, dataset: DatasetVersion) -> str | None:
    """first: the version of the lineage that started anew."""
    if first.dataset_id is None:
        return f"it is not known what version {first.version} learnt from"
    try:
        since = dataset.spec.as_of - ws.datasets.get(first.dataset_id).spec.as_of
    except StoreError:
        return f"the dataset of version {first.version} is gone"
    if since >= trainer.warm_start.refit_every:
        return f"the last full fit is {since.days} days old, refit_every is {trainer.warm_start.refit_every.days}"
    return None


def fitted_base(ws: Workspace, base: Base, labels: Any) -> Any | None:
    """The pipeline to continue; None where it does not load or the rows show other classes."""
    if base.version is None:
        return None
    try:
        model = load_version(ws, base.version)
    except ModelUnavailable:
        ws.registry.champion()  # a registry that is down is not a version that does not load
        return None
    return model if warm.same_classes(model, labels) else None
