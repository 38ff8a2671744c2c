"""A person's answer to a verdict, in the ledger."""

from __future__ import annotations

from continual.errors import PromotionRefused
from continual.flows.workspace import Outcome, Workspace


def record_answer(ws: Workspace, verdict_key: str, approved: bool, who: str) -> Outcome:
    """who: user name, or 'time-out'.

    Raises
    ------
    PromotionRefused: no such verdict, or it was answered otherwise before.
    """
    verdict = ws.ledger.get(verdict_key)
    if verdict is None:
        raise PromotionRefused("An answer needs a verdict.", f"no {verdict_key!r}.", "clear the judge task.")
    reason = f"{'approved' if approved else 'declined'} by {who}: {verdict.reason}"
    record = {"verdict": verdict_key, "approved": approved, "by": who}
    key = f"approval:{verdict_key}"
    first = ws.ledger.append("approval", key, verdict.as_of, reason, record, ws.loaded.hash, ws.run)
    if first.evidence["approved"] != approved:
        raise PromotionRefused("A verdict is answered once.", f"it was {first.reason}", "start a new retrain.")
    return Outcome(first.reason, {"approved": approved})


def recorded_answer(ws: Workspace, verdict_key: str) -> Outcome | None:
    """The answer to a verdict; None while there is none."""
    answer = ws.ledger.get(f"approval:{verdict_key}")
    return Outcome(answer.reason, {"approved": answer.evidence["approved"]}) if answer else None
