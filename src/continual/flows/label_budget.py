"""The label budget of an application: what was asked for so far, read from the ledger."""

from __future__ import annotations

from datetime import datetime

from continual.core.label_budget import Account, Purchase, account
from continual.core.window import utc
from continual.errors import Skipped
from continual.flows.workspace import Workspace

#: Ledger kind of a purchase of labels.
ASKED = "labels_asked"


def price_of(ws: Workspace) -> tuple[float, str]:
    """Price of one answer and its unit; where answers have no price they are counted."""
    prices = getattr(ws.policy, "prices", None)
    return (prices.label, prices.unit) if prices and prices.label else (1.0, "answers")


def account_of(ws: Workspace, as_of: datetime) -> Account:
    """State of the label budget at `as_of`.

    Raises
    ------
    Skipped: labels come by themselves.
    """
    policy = ws.policy.labelling
    if not ws.policy.labeler.asks or policy.budget is None:
        raise Skipped(
            "Labels are asked for where the labeler asks people.",
            f"labeler.kind is {ws.policy.labeler.kind!r}: labels come by themselves.",
            "nothing, or set labeler.kind to page, csv or label_studio, and labelling.budget.",
        )
    entries = ws.ledger.entries(kind=ASKED)
    bought = [Purchase(utc(entry.as_of), float(entry.evidence["cost"])) for entry in entries]
    price, _ = price_of(ws)
    start = utc(ws.policy.active.start)
    return account(bought, policy.budget, price, start, policy.period, utc(as_of), policy.reserve)
