"""Before a version serves: does it load, and does it score today's rows?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.window import Window
from continual.flows.workspace import Workspace
from continual.models.artifact import Floats, score
from continual.models.recipe import trusted_types

if TYPE_CHECKING:
    import pandas as pd

#: Rows of the last days are 'today's schema'; a few suffice to see that the pipeline runs on them.
RECENT, SAMPLE = timedelta(days=7), 500


def load_version(ws: Workspace, version: str) -> Any:
    """The fitted pipeline of a version, loaded with the types recorded when it was trained.

    Raises
    ------
    ModelUnavailable: it does not load.
    """
    return ws.load(version, _trusted(ws, version))


def answers(ws: Workspace, version: str, frame: pd.DataFrame) -> Floats:
    """What a version says to every logged row in `frame`: (n,) or (n, K), see `models.artifact.score`.

    Raises
    ------
    ModelUnavailable: it does not load or has no legal answer.
    """
    known = ws.known_answers(version, frame)
    return (
        score(load_version(ws, version), frame, ws.policy.features.all, ws.policy.label.target)
        if known is None
        else known
    )


def _trusted(ws: Workspace, version: str) -> tuple[str, ...]:
    """As recorded at training; for a version made by hand, what the present trainers may hold."""
    recorded = ws.versions.get(version).trusted
    return recorded or tuple(sorted({t for trainer in ws.policy.trainers for t in trusted_types(trainer)}))


def recent_rows(ws: Workspace, as_of: datetime) -> pd.DataFrame:
    """The newest rows in the log at `as_of`, at most SAMPLE."""
    frame = ws.log.read_predictions(Window(as_of - RECENT, as_of), as_of)
    return frame.sort_values(["event_time", "record_key"]).tail(SAMPLE)


def check_serves(ws: Workspace, version: str, as_of: datetime) -> None:
    """Load the version and score recent rows with it (s42, s43).

    Raises
    ------
    ModelUnavailable: it does not load, misses a column, fails, or answers outside [0, 1].
    """
    answers(ws, version, recent_rows(ws, as_of))
