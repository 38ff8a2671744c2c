"""A person's answer to a verdict, in the ledger."""

from __future__ import annotations

from continual.errors import PromotionRefused
from continual.flows.workspace import Outcome, Workspace


def record_answer(ws: Workspace, verdict_key: str, approved: bool, who: str) -> Outcome:
    """who: user name, or 'time-out'.

    Raises
    ------
    PromotionRefused: no such verdict.
    """
    verdict = ws.ledger.get(verdict_key)
    if verdict is None:
        raise PromotionRefused("An answer needs a verdict.", f"no {verdict_key!r}.", "clear the judge task.")
    reason = f"{'approved' if approved else 'declined'} by {who}: {verdict.reason}"
    record = {"verdict": verdict_key, "approved": approved, "by": who}
    ws.ledger.append("approval", f"approval:{verdict_key}", verdict.as_of, reason, record, ws.loaded.hash, ws.run)
    return Outcome(reason, {"approved": approved})
