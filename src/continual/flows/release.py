"""A person's word that a quarantined version was not bad: its lineage may be trained again."""

from __future__ import annotations

from datetime import datetime

from continual.core.window import utc
from continual.errors import PromotionRefused
from continual.flows.workspace import Outcome, Workspace


def release_version(ws: Workspace, version: str, who: str, why: str, as_of: datetime) -> Outcome:
    """Quarantined -> retired, in the ledger with who and why. The version itself is not promoted by this; what it was
    trained from may be, and a rollback may choose it again. Idempotent.

    Raises
    ------
    StoreError: no such version. PromotionRefused: it is not quarantined. ModelUnavailable: MLflow does not answer;
    nothing was changed.
    """
    known = ws.versions.get(version)
    key = f"released:{version}:{_times_quarantined(ws, version)}"
    done = ws.ledger.get(key)
    if known.state != "quarantined":
        if done is not None:
            return Outcome(f"already released: {done.reason}", {"version": version, "state": known.state})
        raise PromotionRefused(
            "Only a quarantined version can be released.",
            f"version {version} of {ws.app} is {known.state}.",
            _advice(ws),
        )
    reason = f"version {version} is released by {who}: {why}"
    tags = {"continual.state": "retired", "continual.quarantine_reason": ""}
    ws.registry.tag(version, tags, missing_ok=True)
    record = {"version": version, "by": who, "why": why, "quarantined_because": known.reason}
    entry = ws.ledger.append("released", key, utc(as_of), reason, record, ws.loaded.hash, ws.run)
    ws.versions.release(version, entry.reason)
    return Outcome(entry.reason, {"version": version, "state": "retired"})


def _times_quarantined(ws: Workspace, version: str) -> int:
    return sum(e.evidence["version"] == version for e in ws.ledger.entries(kind="quarantined"))


def _advice(ws: Workspace) -> str:
    names = [found.version for found in ws.versions.versions(state="quarantined")]
    return f"name one of the quarantined: {', '.join(names)}." if names else "nothing: none is quarantined."
