"""How far an application's knowledge reaches."""

from __future__ import annotations

from datetime import UTC, datetime

from continual.flows.workspace import Workspace

#: Decisions of the loop, whose instant is that of the data; what a person does at a prompt happens now, but for
#: withdrawals, which change what is known of the data.
LOOP = ("trigger", "monitor", "retrain", "evaluation", "verdict", "withdraw", "restore")


def newest(ws: Workspace) -> datetime:
    """The newest instant at which a batch was taken in or a decision was made; the end of `active` and the wall clock
    do not matter, so that history that is played back is asked as it was known. Before anything came: `active.start`.
    """
    ingested, decided = ws.batches.newest(), ws.ledger.last(*LOOP)
    known = [*([ingested] if ingested else []), *([decided.as_of] if decided else []), ws.policy.active.start]
    return max(known).astimezone(UTC)
