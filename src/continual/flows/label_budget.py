"""The label budget of an application: what was asked for so far, read from the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from continual.errors import Skipped
from continual.flows.label_order import account_at
from continual.flows.workspace import Workspace

if TYPE_CHECKING:
    from continual.core.label_budget import Account

#: Ledger kind of a purchase of labels.
ASKED = "labels_asked"


def check_asks(ws: Workspace) -> None:
    """Whether there is somebody to ask.

    Raises
    ------
    Skipped: labels come by themselves.
    """
    if not ws.policy.labeler.asks or ws.policy.labelling.budget is None:
        raise Skipped(
            "Labels are asked for where the labeler asks people.",
            f"labeler.kind is {ws.policy.labeler.kind!r}: labels come by themselves.",
            "nothing, or set labeler.kind to page, csv or label_studio, and labelling.budget.",
        )


def account_of(ws: Workspace, as_of: datetime) -> Account:
    """State of the label budget at `as_of`.

    Raises
    ------
    Skipped: labels come by themselves.
    """
    check_asks(ws)
    return account_at(ws.policy, ws.ledger.entries(kind=ASKED), as_of)
