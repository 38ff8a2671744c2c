"""Retrain now? The policy's trigger on recorded evidence, after the guards every trigger shares."""

from __future__ import annotations

from datetime import datetime

from continual.core.diagnosis import Actuator
from continual.core.forecast import forecast
from continual.core.window import utc
from continual.flows import pnl, shadow
from continual.flows.diagnose import key_of
from continual.flows.trigger_evidence import gather
from continual.flows.workspace import Outcome, Workspace
from continual.triggers.base import Decision, TriggerEvidence, reasoned


def decide(ws: Workspace, as_of: datetime, alarmed: bool) -> Outcome:
    """data['retrain'] says whether; the reason and evidence go to the ledger.

    alarmed: a rollback was just asked for; retraining waits for it and for `promotion.cooldown`.
    """
    as_of = utc(as_of)
    looked = [shadow.look(ws, as_of).reason, pnl.settle(ws, as_of).reason]
    evidence = gather(ws, as_of)
    if ws.policy.trigger.wants_look(evidence):
        looked.append(shadow.look(ws, as_of, now=True).reason)
        evidence = gather(ws, as_of)
    settled = _settled_later(ws, evidence)
    if settled is not None:
        return Outcome(settled, {"retrain": False, "cause": settled})
    decision = _guard(ws, as_of, alarmed) or reasoned(ws.policy.trigger, evidence)
    key = _key(ws, as_of, evidence.last_retrain)
    word = "retrain" if decision.retrain else "no retrain"
    found = forecast(evidence)
    record = {"evidence": evidence.as_dict(), "retrain": decision.retrain}
    record |= {"forecast": found.as_dict()} if found else {}
    entry = ws.ledger.append("trigger", key, as_of, f"{word}: {decision.reason}", record, ws.loaded.hash, ws.run)
    said = "; ".join([entry.reason, *(text for text in looked if text)])
    return Outcome(said, {"retrain": bool(entry.evidence["retrain"]), "cause": decision.reason})


def _key(ws: Workspace, as_of: datetime, last_retrain: datetime | None) -> str:
    return f"trigger:{as_of.isoformat()}:{ws.loaded.hash}:{last_retrain}"


def _settled_later(ws: Workspace, evidence: TriggerEvidence) -> str | None:
    """'no retrain' at a later instant since the same last retrain holds for this one: a backfill that runs again
    decides nothing anew. Nor does a look at an instant up to the one whose retrain was begun already."""
    last = ws.ledger.last("trigger")
    if last is None or last.as_of < evidence.as_of:
        return None
    if last.evidence["retrain"]:
        begun = last.as_of == evidence.last_retrain
        return f"no retrain: the one of {last.as_of:%Y-%m-%d %H:%M} was begun already" if begun else None
    if last.as_of == evidence.as_of:
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
