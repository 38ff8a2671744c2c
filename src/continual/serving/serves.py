"""Which version answers: the one under the alias, loaded, tried on rows, exchanged while requests go on."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from continual.core.canonical import digest
from continual.errors import ContinualError, ModelUnavailable
from continual.flows.serving_check import load_version
from continual.models.artifact import inputs_of, score
from continual.models.registry import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    import pandas as pd

    from continual.flows.workspace import Workspace
    from continual.models.artifact import Floats

_LOG = logging.getLogger("continual.serving")


@dataclass(frozen=True)
class Served:
    """A loaded version. inputs: columns it reads. schema: hash of name and columns, to compare with the ledger's."""

    version: str
    model: Any
    inputs: tuple[str, ...]

    @property
    def schema(self) -> str:
        return digest(list(self.inputs))[:16]


class Serves:
    """Champion and challenger of one application, followed in the registry.

    A version that does not load or does not answer never replaces one that does: the old one goes on, and `problem`
    says why. A registry that cannot be reached changes nothing.
    """

    def __init__(self, ws: Workspace, poll_seconds: float = 5.0, challenge: bool = True) -> None:
        """challenge: also load the version under the alias `challenger`, where there is one."""
        self.ws, self.poll_seconds, self._challenge = ws, poll_seconds, challenge
        self.champion: Served | None = None
        self.challenger: Served | None = None
        self.problem: str | None = None
        self.reloads = 0
        self._ended = threading.Event()
        self._looking = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name=f"follow-{ws.app}", daemon=True)

    def start(self) -> None:
        """Load the champion, then follow.

        Raises
        ------
        ModelUnavailable: there is no champion, or it does not load or answer.
        """
        self.look()
        if self.champion is None:
            raise ModelUnavailable(
                f"{self.ws.app} must have a champion to serve.",
                f"{self.problem or 'no version has the alias champion'}.",
                f"retrain first (`continual retrain {self.ws.app}`), or repair what is named.",
            )
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def look(self) -> None:
        """Bring what is served to what the registry says; problems are kept, not raised."""
        with self._looking:
            try:
                aliases = self.ws.fresh_registry().aliases()
                self.champion = self._changed(self.champion, aliases.get(CHAMPION)) or self.champion
                wanted = aliases.get(CHALLENGER) if self._challenge else None
                wanted = None if self.champion and wanted == self.champion.version else wanted
                self.challenger = self._changed(self.challenger, wanted)
                self.problem = None
            except ContinualError as error:
                if self.problem is None:
                    _LOG.warning("%s goes on as it is: %s", self.ws.app, error)
                self.problem = str(error)

    def _changed(self, now: Served | None, version: str | None) -> Served | None:
        if version is None:
            return None
        if now is not None and now.version == version:
            return now
        model = load_version(self.ws, version)
        served = Served(version, model, tuple(inputs_of(model, self.ws.policy.features.all)))
        self._try(served)
        self.reloads += 1
        _LOG.info("%s: version %s is loaded", self.ws.app, version)
        return served

    def _try(self, served: Served) -> None:
        """It answers rows it was trained on; a version made by hand has none on record and is taken as it is."""
        dataset = self.ws.versions.get(served.version).dataset_id
        if dataset:
            self.answers(served, self.ws.datasets.load(dataset).head(5))

    def answers(self, served: Served, rows: pd.DataFrame) -> Floats:
        """(n,) or (n, K); raises ModelUnavailable as `models.artifact.score`."""
        return score(served.model, rows, served.inputs, self.ws.policy.label.target)

    def _follow(self) -> None:
        while not self._ended.wait(self.poll_seconds):
            self.look()
