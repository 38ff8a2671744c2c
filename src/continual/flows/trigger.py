"""Retrain now? The policy's trigger on recorded evidence, after the guards every trigger shares."""

from __future__ import annotations

from datetime import datetime, timedelta

from continual.core.diagnosis import Actuator
from continual.core.window import Window, utc
from continual.flows.diagnose import key_of
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import matured_until
from continual.triggers.base import Decision, TriggerEvidence

DAY = timedelta(days=1)


def decide(ws: Workspace, as_of: datetime, alarmed: bool) -> Outcome:
    """data['retrain'] says whether; the reason and evidence go to the ledger.

    alarmed: a rollback was just asked for; retraining waits for it and for `promotion.cooldown`.
    """
    as_of = utc(as_of)
    evidence = _evidence(ws, as_of)
    settled = _settled_later(ws, evidence)
    if settled is not None:
        return Outcome(settled, {"retrain": False, "cause": settled})
    decision = _guard(ws, as_of, alarmed) or ws.policy.trigger.decide(evidence)
    key = _key(ws, as_of, evidence.last_retrain)
    word = "retrain" if decision.retrain else "no retrain"
    record = {"evidence": evidence.as_dict(), "retrain": decision.retrain}
    entry = ws.ledger.append("trigger", key, as_of, f"{word}: {decision.reason}", record, ws.loaded.hash, ws.run)
    return Outcome(entry.reason, {"retrain": bool(entry.evidence["retrain"]), "cause": decision.reason})


def _key(ws: Workspace, as_of: datetime, last_retrain: datetime | None) -> str:
    return f"trigger:{as_of.isoformat()}:{ws.loaded.hash}:{last_retrain}"


def _settled_later(ws: Workspace, evidence: TriggerEvidence) -> str | None:
    """'no retrain' at a later instant since the same last retrain holds for this one: a backfill that runs again
    decides nothing anew."""
    last = ws.ledger.last("trigger")
    if last is None or last.as_of <= evidence.as_of or last.evidence["retrain"]:
        return None
    if last.key != _key(ws, last.as_of, evidence.last_retrain):
        return None
    return f"no retrain: decided as of {last.as_of:%Y-%m-%d %H:%M} already: {last.reason}"


def _guard(ws: Workspace, as_of: datetime, alarmed: bool) -> Decision | None:
    if alarmed:
        return Decision(False, "the champion is being rolled back")
    last = ws.champions.current()
    if last is not None and last.kind == "rollback" and as_of < last.as_of + ws.policy.promotion.cooldown:
        return Decision(False, f"cooling down after the rollback of {last.as_of:%Y-%m-%d}")
    return _diagnosed(ws, as_of)


def _diagnosed(ws: Workspace, as_of: datetime) -> Decision | None:
    """What this look's diagnosis asks for: no retrain on rows or labels that are wrong, one when the world changed."""
    reign = ws.champions.current()
    entry = ws.ledger.get(key_of(reign, as_of)) if reign is not None else None
    if entry is None:
        return None
    found = entry.evidence["diagnosis"]
    if found["actuator"] == Actuator.RETRAIN:
        return Decision(True, found["reason"])
    return Decision(False, f"on hold: {found['reason']}")


def _evidence(ws: Workspace, as_of: datetime) -> TriggerEvidence:
    # by instant of knowledge: a backfill of an old retrain does not make the newest one old
    last = max((e.as_of for e in ws.ledger.entries(kind="retrain")), default=None)
    since = last or ws.policy.active.start
    end = matured_until(ws.policy, as_of)
    reign = ws.champions.current()
    trained = ws.versions.get(reign.version).trained if reign is not None else None
    return TriggerEvidence(
        as_of=as_of,
        last_retrain=last,
        new_labels=_count_labels(ws, Window(since, end), as_of) if end > since else 0,
        has_champion=reign is not None,
        champion=reign.version if reign else None,
        age=(as_of - trained.end) / DAY if trained else None,
        reigning=(as_of - reign.as_of) / DAY if reign else None,
        prices=ws.policy.prices,
    )


def _count_labels(ws: Workspace, window: Window, as_of: datetime) -> int:
    frame = ws.log.read_labelled(window, as_of, columns=["record_key"])
    return int(frame["label"].notna().sum())
