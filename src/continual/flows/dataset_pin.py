"""Back to an earlier dataset version: the next retrain learns from it instead of choosing rows anew.

The same dataset, recipe and seed are the same candidate, so nothing is fitted twice; the gate judges it on rows of now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from continual.core.window import Window, utc
from continual.errors import Skipped
from continual.flows.knowledge import newest
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import RetrainWindows

if TYPE_CHECKING:
    from continual.stores.datasets import DatasetVersion
    from continual.stores.entry import Entry

PIN, UNPIN = "dataset_pin", "dataset_unpin"


@dataclass(frozen=True)
class Pin:
    """What the next retrain learns from. key: of the ledger entry that asks for it."""

    key: str
    dataset: DatasetVersion
    by: str

    @property
    def window(self) -> Window:
        return self.dataset.spec.window

    @property
    def choice(self) -> tuple[DatasetVersion, str]:
        """The dataset and one line for people."""
        said = f"dataset {self.dataset.id[:12]}: pinned by {self.by}, {self.dataset.n_rows:,} rows of {self.window}"
        return self.dataset, said


def pin(ws: Workspace, dataset_id: str, reason: str, by: str, as_of: datetime | None = None) -> Outcome:
    """Let the next retrain learn from this dataset version, once. Said again while it waits, nothing changes.

    Raises
    ------
    StoreError: no such dataset, or its file is gone. Skipped: rows of it are erased or withdrawn, or it was not made
    for training.
    """
    dataset = ws.datasets.get(dataset_id)
    _check_usable(ws, dataset)
    ws.datasets.load(dataset.id)
    waiting = _waiting(ws)
    if waiting is None or waiting.evidence["dataset"] != dataset.id:
        at = utc(as_of) if as_of else newest(ws)
        said = (
            f"pinned by {by}: the next retrain learns from dataset {dataset.id[:12]} ({dataset.spec.window}): {reason}"
        )
        record = {"dataset": dataset.id, "by": by, "why": reason}
        number = len(ws.ledger.entries(kind=PIN)) + 1
        waiting = ws.ledger.append(PIN, f"{PIN}:{number}", at, said, record, ws.loaded.hash, ws.run)
    return Outcome(waiting.reason, {**waiting.evidence, "as_of": waiting.as_of.isoformat()})


def unpin(ws: Workspace, reason: str, by: str, as_of: datetime | None = None) -> Outcome:
    """The next retrain chooses its rows itself again.

    Raises
    ------
    Skipped: nothing is pinned.
    """
    waiting = _waiting(ws)
    if waiting is None:
        raise Skipped("A dataset must be pinned to be unpinned.", "none waits for a retrain.", "nothing.")
    at = max(waiting.as_of, utc(as_of) if as_of else newest(ws))
    record = {"pin": waiting.key, "dataset": waiting.evidence["dataset"], "by": by, "why": reason}
    entry = ws.ledger.append(
        UNPIN, f"{UNPIN}:{waiting.key}", at, f"unpinned by {by}: {reason}", record, ws.loaded.hash, ws.run
    )
    return Outcome(entry.reason, entry.evidence)


def waiting_dataset(ws: Workspace) -> str | None:
    """Id of the dataset that the next retrain is to learn from."""
    found = _waiting(ws)
    return None if found is None else str(found.evidence["dataset"])


def pinned(ws: Workspace, windows: RetrainWindows, as_of: datetime) -> Pin | None:
    """What a retrain at this instant is to learn from, if a person said so by then.

    Raises
    ------
    Skipped: rows of it were erased or withdrawn since, or it reaches into the judging window.
    """
    found = _waiting(ws)
    if found is None or found.as_of > as_of:
        return None
    dataset = ws.datasets.get(found.evidence["dataset"])
    _check_usable(ws, dataset)
    if dataset.spec.window.end > windows.evaluation.start:
        raise Skipped(
            "A pinned dataset must end before the window that judges.",
            f"dataset {dataset.id[:12]} reaches to {dataset.spec.window.end:%Y-%m-%d}, judged is {windows.evaluation}.",
            "pin an earlier one, or retrain as of a later instant.",
        )
    return Pin(found.key, dataset, str(found.evidence["by"]))


def _waiting(ws: Workspace) -> Entry | None:
    """The newest pin, unless a retrain took it or a person took it back."""
    entry = ws.ledger.last(PIN)
    if entry is None or ws.ledger.get(f"{UNPIN}:{entry.key}") is not None:
        return None
    used = any(e.evidence.get("pin") == entry.key for e in ws.ledger.entries(kind="retrain", since=entry.as_of))
    return None if used else entry


def _check_usable(ws: Workspace, dataset: DatasetVersion) -> None:
    gone = sum(n for _, n in ws.withdrawals.effects("dataset").get(dataset.id, []))
    got = []
    got += [f"{dataset.n_erased:,} of its rows were erased"] if dataset.n_erased else []
    got += [f"{gone:,} of its rows are withdrawn"] if gone else []
    got += [f"it was made to {dataset.spec.purpose}"] if dataset.spec.purpose != "train" else []
    if got:
        raise Skipped(
            f"A dataset that is trained on again must be whole and in use: {dataset.id[:12]}.",
            f"{'; '.join(got)}.",
            "choose another (`continual dataset list`), restore the rows, or let the retrain choose rows itself.",
        )
