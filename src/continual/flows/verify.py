"""After a move: what is served, asked of a fresh client, must be what the ledger says."""

from __future__ import annotations

from datetime import datetime

from continual.core.window import utc
from continual.errors import ModelUnavailable
from continual.flows.proposals import write_proposals
from continual.flows.publish import publish_history
from continual.flows.served import await_served
from continual.flows.serving_check import check_serves
from continual.flows.workspace import Outcome, Workspace


def verify(ws: Workspace, as_of: datetime) -> Outcome:
    """The champion by alias is the ledger's, loads, scores recent rows, and is what the server answers with, where
    the policy names one (s37, s40, s49).

    Raises
    ------
    ModelUnavailable: alias and ledger differ, the champion does not load or score, or another version answers.
    """
    served, current = ws.fresh_registry().champion(), ws.champions.current()
    known = current.version if current else None
    if served is None or served != known:
        raise ModelUnavailable(
            "The served champion must be the one in the ledger.",
            f"served {served or 'none'}, ledger {known or 'none'}.",
            "clear the promote or rollback task: it starts by reconciling the two.",
        )
    check_serves(ws, served, utc(as_of))
    answers = await_served(ws, served)
    publish_history(ws)
    write_proposals(ws)
    since = f" since {current.as_of:%Y-%m-%d}" if current else ""
    reason = f"version {served} is champion{since}, loads and scores today's rows"
    return Outcome(f"{reason}; {answers}" if answers else reason, {"version": served})
