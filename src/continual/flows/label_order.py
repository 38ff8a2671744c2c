"""How many labels are asked for, where and why: functions of the ledger, the policy and the order alone.

Which rows are drawn depends on the log and is on record row by row; that they were worth asking for follows from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.label_budget import Account, Purchase, account
from continual.core.window import Window, floor_day, utc
from continual.errors import Skipped
from continual.policy.windows import matured_until, retrain_windows

if TYPE_CHECKING:
    from continual.policy.models import Policy
    from continual.stores.entry import Entry


@dataclass(frozen=True)
class Order:
    """What is asked for. labels: how many rows, None = what the budget leaves. slice: where, None = where the pending
    verdict lacks labels. cause: why, for the ledger."""

    labels: int | None = None
    slice: str | None = None
    cause: str = "asked for by hand"


@dataclass(frozen=True)
class Need:
    """Where labels decide something. verdict: ledger key of the verdict that needs them, None = a person said so."""

    slices: Mapping[str, int]
    verdict: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"slices": dict(self.slices), "verdict": self.verdict}


@dataclass(frozen=True)
class Plan:
    """rows: how many may be asked about, 0 = the budget is used up. price: of an answer, in `unit`."""

    need: Need
    account: Account
    rows: int
    window: Window
    price: float
    unit: str

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the ledger."""
        return {
            "need": self.need.as_dict(),
            "account": self.account.as_dict(),
            "rows": self.rows,
            "window": self.window.as_dict(),
            "aim": "rows that judge next" if self.need.verdict else "newest rows",
            "price": self.price,
            "unit": self.unit,
        }


def plan(
    policy: Policy,
    order: Order,
    as_of: datetime,
    asked: Iterable[Entry],
    verdicts: Iterable[Entry],
    first: bool,
) -> Plan:
    """asked: earlier purchases; verdicts: any order; both of the ledger. first: there never was a champion. The policy
    must have a budget."""
    need, found = _need(order, verdicts, as_of), account_at(policy, asked, as_of)
    rows = found.affordable(policy.labelling.answers_a_row, urgent=bool(need.slices))
    rows = rows if order.labels is None else min(rows, order.labels)
    window = judged_window(policy, as_of) if need.verdict else ask_window(policy, as_of, first)
    return Plan(need, found, rows, window, *price_of(policy))


def price_of(policy: Policy) -> tuple[float, str]:
    """Price of one answer and its unit; where answers have no price they are counted."""
    prices = policy.prices
    return (prices.label, prices.unit) if prices and prices.label else (1.0, "answers")


def account_at(policy: Policy, asked: Iterable[Entry], as_of: datetime) -> Account:
    """State of the label budget at `as_of` after these purchases."""
    bought = [Purchase(utc(entry.as_of), float(entry.evidence["cost"])) for entry in asked]
    labelling, start = policy.labelling, utc(policy.active.start)
    budget = labelling.budget or 0.0
    return account(bought, budget, price_of(policy)[0], start, labelling.period, utc(as_of), labelling.reserve)


def ask_window(policy: Policy, as_of: datetime, first: bool) -> Window:
    """Whole days before `as_of`: rows that will judge and later train; before the first champion those that train
    now, too."""
    end = floor_day(as_of)
    start = end - (policy.labelling.window or policy.window.evaluation)
    if policy.labelling.window is None and first:
        start = retrain_windows(policy, as_of).training.start
    return Window(max(start, floor_day(policy.active.start)), end)


def judged_window(policy: Policy, as_of: datetime) -> Window:
    """Days that the next judging window will hold: it ends `label.lag` ago and moves on while answers are waited for,
    so that its first days are left out, as many as `labelling.wait` has but a quarter at most.

    Raises
    ------
    Skipped: none of them is as young as `labelling.window` wants the rows.
    """
    end, length = matured_until(policy, as_of), policy.window.evaluation
    start = floor_day(end - length + min(policy.labelling.wait, length / 4))
    if policy.labelling.window is not None:
        start = max(start, floor_day(as_of) - policy.labelling.window)
    start = max(start, floor_day(policy.active.start))
    if start >= end:
        raise Skipped(
            "Labels for a pending verdict are asked for in the days that the next gate judges.",
            f"they end {end:%Y-%m-%d}; labelling.window and active.start allow rows from {start:%Y-%m-%d} on.",
            "widen labelling.window beyond label.lag, or name a slice (`continual labelling ask --slice`).",
        )
    return Window(start, end)


def _need(order: Order, verdicts: Iterable[Entry], as_of: datetime) -> Need:
    """The slice of the order, else those of the newest verdict if it said that it needs labels."""
    if order.slice is not None:
        return Need({order.slice: order.labels or 0})
    seen = [entry for entry in verdicts if utc(entry.as_of) <= utc(as_of)]
    last = max(seen, key=lambda entry: entry.seq, default=None)
    if last is None or last.evidence["verdict"]["answer"] != "need_labels":
        return Need({})
    verdict = last.evidence["verdict"]
    needs = {name: n for name, n in verdict["labels_needed"].items() if name in verdict["blocking"]}
    return Need(needs or verdict["labels_needed"], last.key)


def sentence(record: Mapping[str, Any]) -> str:
    """The ledger's line for a purchase, from its evidence."""
    account, need = record["account"], record["need"]
    left = account["budget"] + account["carried"] - account["spent"] - record["cost"]
    where = ", ".join(f"{record['bought'].get(name, 0):,} in {name}" for name in need["slices"])
    why = f"; for {need['verdict']}" if need["verdict"] else f"; {record['order']['cause']}"
    return (
        f"{record['new']:,} of {record['pool']:,} rows of {Window.from_dict(record['window'])} to be labelled"
        f"{f' ({where})' if where else ''}, {record['answers']:,} answers for {record['cost']:,.6g} {record['unit']}, "
        f"{left:,.6g} of {account['budget']:,.6g} left until the period ends{why}"
    )
