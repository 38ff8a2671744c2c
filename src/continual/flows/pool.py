"""Logged rows -> the pool a sampler chooses from, with whatever the policy's sampler reads and nothing more."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from continual.core.canonical import digest
from continual.core.projection import with_projections
from continual.core.slices import masks, resolve
from continual.core.target import Target
from continual.core.verdict import OVERALL
from continual.core.window import Window, utc
from continual.errors import ModelUnavailable
from continual.flows.confidence import confidence
from continual.flows.logged import computed, logged_columns
from continual.flows.logged_features import LoggedFeatures
from continual.flows.serving_check import load_version
from continual.flows.workspace import Workspace
from continual.models.artifact import inputs_of, score
from continual.models.registry import CHALLENGER
from continual.samplers.base import Floats, Pool, Sampler

if TYPE_CHECKING:
    import pandas as pd

    from continual.policy.models import Policy
    from continual.stores.entry import Entry

#: Versions that vote besides the champion.
COMMITTEE = 4


class Values:
    """A version as samplers read it: from a table of logged rows to numbers."""

    def __init__(self, model: Any, features: list[str], target: Target) -> None:
        self.inputs = inputs_of(model, features)
        self._said = partial(score, model, features=features, target=target)

    def predict(self, rows: pd.DataFrame) -> Floats:
        """(n,) values."""
        return self._said(rows)


class Answers(Values):
    """The same to the policy's classes, in their order."""

    def __init__(self, model: Any, features: list[str], target: Target) -> None:
        super().__init__(model, features, target)
        self.classes_ = np.arange(max(2, len(target.classes)))

    def predict_proba(self, rows: pd.DataFrame) -> Floats:
        """(n, K)."""
        found = self._said(rows)
        return found if found.ndim == 2 else np.stack([1 - found, found], axis=1)

    def predict(self, rows: pd.DataFrame) -> Floats:
        """(n,) index of the most probable class."""
        return np.asarray(self.predict_proba(rows).argmax(axis=1), dtype=np.float64)


def pool_of(
    ws: Workspace, frame: pd.DataFrame, as_of: datetime, sampler: Sampler | None = None, later: bool = False
) -> Pool:
    """frame: (n, ...) rows as logged, with record_key, event_time and the policy's columns. sampler: whose needs count,
    by default the policy's. later: `frame` lies in order of time and has only the columns that slices read; features
    are read from the log, a chunk at a time.

    Raises
    ------
    ModelUnavailable: the registry does not answer, or the champion does not load. A rival or a member of the committee
    that does not load, or reads a column that was not logged, is left out: it chooses, it does not decide.
    """
    reads = (sampler or ws.policy.sampler).reads
    champion = ws.registry.champion() if reads & {"model", "rival", "committee"} else None
    model = _answers(ws, champion) if champion else None
    others = partial(_loaded, ws, ws.policy.columns if later else frame.columns)
    rival = next(others(rivals(ws, champion, as_of)), None) if champion and "rival" in reads else None
    committee = tuple(others(_committee(ws, champion))) if champion and "committee" in reads else ()
    named = [ws.policy.features.all, *(m.inputs for m in (model, rival, *committee) if m is not None)]
    columns = list(dict.fromkeys(c for names in named for c in names))
    keys, time = frame["record_key"].to_numpy(dtype=object), frame["event_time"].to_numpy(dtype="datetime64[us]")
    return Pool(
        keys=keys,
        features=LoggedFeatures(ws, keys, time, as_of, columns) if later else frame[columns],
        model=model,
        event_time=time,
        slices=slice_members(ws, frame) if "slices" in reads else {},
        needed=labels_needed(ws, as_of) if "needed" in reads else {},
        rival=rival,
        committee=committee,
        calibration=confidence(ws, champion, model, as_of) if champion and "model" in reads else None,
    )


def seed_of(ws: Workspace, window: Window, as_of: datetime) -> int:
    """The seed of a draw. Draws at different instants or over different windows are independent, so that the chance
    that one of several takes a row is 1 - prod(1 - pi); the same draw again takes the same rows."""
    return int(digest([ws.policy.seed, window.as_dict(), as_of.isoformat()])[:12], 16)


def slice_columns(policy: Policy) -> list[str]:
    """Logged columns that the policy's slices read."""
    return logged_columns(policy, _sliced(policy))


def _sliced(policy: Policy) -> list[str]:
    return [name for spec in policy.slices for name in spec.columns]


def slice_members(ws: Workspace, frame: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Slice -> (n,) members, by the policy's definitions over the rows of `frame`; all rows are no slice here."""
    rows = with_projections(frame, computed(ws.policy, _sliced(ws.policy)))
    found = resolve(ws.policy.slices, rows)
    return {name: inside for name, inside in masks(found, rows).items() if name != OVERALL}


def labels_needed(ws: Workspace, as_of: datetime) -> Mapping[str, int]:
    """Slice -> further labels that the newest verdict by `as_of` said would settle it."""
    verdict = _last_verdict(ws, as_of)
    needs = verdict.evidence["verdict"]["labels_needed"] if verdict else {}
    return {str(name): int(n) for name, n in needs.items() if name != OVERALL}


def rivals(ws: Workspace, champion: str | None, as_of: datetime) -> list[str]:
    """Versions the champion may be compared with, likeliest first: the challenger, then the candidate of the newest
    verdict; never a quarantined one."""
    last = _last_verdict(ws, as_of)
    named = [ws.registry.aliases().get(CHALLENGER), last.evidence["candidate"] if last else None]
    bad = {v.version for v in ws.versions.versions(state="quarantined")}
    return [version for version in dict.fromkeys(named) if version and version != champion and version not in bad]


def _last_verdict(ws: Workspace, as_of: datetime) -> Entry | None:
    newest_first = ws.ledger.entries(kind="verdict", newest_first=True)
    return next((entry for entry in newest_first if utc(entry.as_of) <= utc(as_of)), None)


def _committee(ws: Workspace, champion: str) -> list[str]:
    """The champion and the newest other versions."""
    usable = [v.version for v in ws.versions.versions() if v.state != "quarantined" and v.version != champion]
    return [champion, *usable[-COMMITTEE:]]


def _loaded(ws: Workspace, columns: Container[str], versions: Iterable[str]) -> Iterator[Values]:
    for version in versions:
        try:
            found = _answers(ws, version)
        except ModelUnavailable:
            continue
        if all(name in columns for name in found.inputs):
            yield found


def _answers(ws: Workspace, version: str) -> Values:
    target = ws.policy.label.target
    kind = Values if target.task == "regression" else Answers
    return kind(load_version(ws, version), ws.policy.features.all, target)
