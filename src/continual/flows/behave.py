"""The policy's behaviour tests on one candidate and recent rows, as evidence for the gate."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from continual.behaviours.base import Floats, Scorer, Subject, probe
from continual.core.verdict import BehaviourEvidence
from continual.errors import ContinualError
from continual.flows.serving_check import load_version, recent_rows
from continual.flows.workspace import Workspace
from continual.models.artifact import score

if TYPE_CHECKING:
    import pandas as pd


def behave(
    ws: Workspace,
    candidate: str,
    champion: str | None,
    as_of: datetime,
    seconds: Callable[[], float] = time.perf_counter,
) -> tuple[BehaviourEvidence, ...]:
    """Every behaviour test of the policy on the newest rows in the log at `as_of`.

    Raises
    ------
    ModelUnavailable: candidate or champion does not load (s23). What a test finds wrong is evidence, not an error.
    """
    if not ws.policy.behaviours:
        return ()
    ours = _scorer(ws, candidate)
    theirs = _scorer(ws, champion) if champion else None
    versions = {id(ours): candidate, id(theirs): champion}
    subject = Subject(
        rows=recent_rows(ws, as_of).reset_index(drop=True),
        candidate=ours,
        champion=theirs,
        size=lambda scorer: artifact_bytes(ws, versions[id(scorer)]),
        seconds=seconds,
        seed=ws.policy.seed,
    )
    return tuple(probe(behaviour, subject) for behaviour in ws.policy.behaviours)


def _scorer(ws: Workspace, version: str) -> Scorer:
    """Scores rows with a version that is loaded already, so that timing it times the model."""
    model = load_version(ws, version)

    def scorer(rows: pd.DataFrame) -> Floats:
        return score(model, rows, ws.policy.features.all, ws.policy.label.target)

    return scorer


def artifact_bytes(ws: Workspace, version: str | None) -> int | None:
    """Bytes of the version's fitted pipeline as it is stored; None when it does not say.

    Raises
    ------
    ModelUnavailable: the version does not load.
    """
    import skops.io

    if version is None:
        return None
    try:
        return len(skops.io.dumps(load_version(ws, version)))
    except ContinualError:
        raise
    except Exception:  # whatever skops cannot write has no size
        return None
