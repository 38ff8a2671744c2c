"""Why a version is live, or why it is not: in sentences, each from an entry of the ledger. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import plain
from continual.core.verdict import OVERALL, Verdict
from continual.errors import StoreError
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    from continual.stores.champions import Reign
    from continual.stores.entry import Entry
    from continual.stores.versions import ModelVersion

#: Slices named one by one.
_NAMED = 3


@dataclass(frozen=True)
class Told:
    """One sentence. seq: the ledger entry that says so; None where a table does."""

    as_of: datetime | None
    text: str
    seq: int | None


@dataclass(frozen=True)
class Explanation:
    """version: None = there is none at all. answer: the question in one sentence. told: how it came, oldest first."""

    application: str
    version: str | None
    state: str
    answer: str
    told: tuple[Told, ...]

    def as_dict(self) -> dict[str, Any]:
        return dict(plain(asdict(self)))


def explain(ws: Workspace, version: str | None = None) -> Explanation:
    """version: None = the champion, or, when there is none, the newest version.

    Raises
    ------
    StoreError: the version was never registered.
    """
    current = ws.champions.current()
    known = ws.versions.versions()
    if version is None:
        version = current.version if current else known[-1].version if known else None
    if version is None:
        said = tuple(_told(e) for e in [ws.ledger.last("trigger")] if e)
        return Explanation(ws.app, None, "none", "No version was trained yet.", said)
    found = _version(ws, version, [k.version for k in known])
    entries = sorted({e.seq: e for e in _entries(ws, found)}.values(), key=lambda e: e.seq)
    told = sorted([*_origin(ws, found), *(_told(e) for e in entries)], key=lambda t: (t.seq is not None, t.seq or 0))
    return Explanation(ws.app, version, found.state, _answer(ws, found, current, entries), tuple(told))


def _version(ws: Workspace, version: str, known: list[str]) -> ModelVersion:
    if version not in known:
        raise StoreError(
            "VERSION must be registered.", f"{version!r}.", f"name one of {', '.join(known[-10:]) or 'none yet'}."
        )
    return ws.versions.get(version)


def _answer(ws: Workspace, found: ModelVersion, current: Reign | None, entries: list[Entry]) -> str:
    reigns = [r for r in ws.champions.read() if r.version == found.version]
    if current is not None and current.version == found.version:
        return f"Version {found.version} is live since {current.as_of:%Y-%m-%d %H:%M}Z: {_why(ws, current)}"
    if reigns:
        left = next(
            (e for e in reversed(entries) if e.kind == "champion" and e.evidence["expected"] == found.version), None
        )
        after = f" {left.reason}" if left else ""
        return f"Version {found.version} was live from {reigns[-1].as_of:%Y-%m-%d} and is not any more.{after}"
    if found.state == "quarantined":
        return f"Version {found.version} is quarantined and never promoted: {found.reason}"
    return f"Version {found.version} was not promoted: {_why_not(entries)}"


def _why(ws: Workspace, reign: Reign) -> str:
    entry = ws.ledger.get(reign.decision_key)
    return entry.reason if entry else f"{reign.kind}, without an entry in the ledger"


def _why_not(entries: list[Entry]) -> str:
    """The last word that stood against it."""
    for entry in reversed(entries):
        if entry.kind in ("abandoned", "suggested") or (entry.kind == "approval" and not entry.evidence["approved"]):
            return entry.reason
        if entry.kind == "verdict":
            return entry.reason + _against(Verdict.from_dict(entry.evidence["verdict"]))
    return "it was never judged: its run ended before, or another candidate of the same run did better."


def _against(verdict: Verdict) -> str:
    """Slices that stood against it, those that lack labels and how many."""
    slices = [name for name in verdict.blocking if name != OVERALL]
    needs = [f"{d.labels_needed:,} more labels in {d.slice}" for d in verdict.deficits if d.blocking][:_NAMED]
    told = [f"against it: {', '.join(slices[:_NAMED])}"] if slices else []
    told += [f"it lacked {', '.join(needs)}"] if needs else []
    return f" ({'; '.join(told)})" if told else ""


def _origin(ws: Workspace, found: ModelVersion) -> Iterator[Told]:
    if found.trained is None:
        yield Told(None, f"Version {found.version} was registered by hand.", None)
    else:
        yield Told(None, f"Version {found.version} learnt from {found.trained}, dataset {found.dataset_id}.", None)


def _entries(ws: Workspace, found: ModelVersion) -> Iterator[Entry]:
    """What the ledger says of a version."""
    version = found.version
    retrains = [e for e in ws.ledger.entries(kind="retrain") if e.evidence.get("dataset") == found.dataset_id]
    yield from retrains
    instants = {e.as_of for e in retrains}
    yield from (e for e in ws.ledger.entries(kind="trigger") if e.evidence.get("retrain") and e.as_of in instants)
    verdicts = [e for e in ws.ledger.entries(kind="verdict") if e.evidence.get("candidate") == version]
    yield from verdicts
    after = {f"{kind}:{e.key}" for e in verdicts for kind in ("approval", "suggest")}
    yield from (e for key in sorted(after) if (e := ws.ledger.get(key)) is not None)
    for kind in ("champion", "adopted", "abandoned"):
        yield from (e for e in ws.ledger.entries(kind=kind) if _moves(e, version))
    reigns = [r for r in ws.champions.read() if r.version == version]
    yield from (e for r in reigns if (e := ws.ledger.get(f"alarm:{r.seq}:{r.version}")) is not None)
    yield from (e for e in ws.ledger.entries(kind="released") if e.evidence.get("version") == version)


def _moves(entry: Entry, version: str) -> bool:
    move = entry.evidence
    return version in (move.get("target"), move.get("expected"), move.get("version"))


def _told(entry: Entry) -> Told:
    return Told(entry.as_of, f"{entry.kind}: {entry.reason}", entry.seq)
