"""What may still be spent on labels: a budget a period, overdrafts carried over, nothing saved up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Purchase:
    """Labels that were asked for at `as_of` and what they cost, in the unit of prices."""

    as_of: datetime
    cost: float


@dataclass(frozen=True)
class Account:
    """State of the label budget at an instant. start: of the present period. spent: in it. carried: overdraft of
    earlier periods, <= 0. price: of one answer. reserve: share of the budget kept for verdicts that need labels."""

    budget: float
    price: float
    start: str
    spent: float
    carried: float
    reserve: float = 0.0

    @property
    def left(self) -> float:
        """May be negative: a random draw took more rows than expected."""
        return self.budget + self.carried - self.spent

    @property
    def kept(self) -> float:
        """Part of the budget that only verdicts that need labels may spend."""
        return self.reserve * self.budget

    def affordable(self, answers_a_row: float, urgent: bool) -> int:
        """Rows that can be asked about. answers_a_row: mean number of people who answer one. urgent: a verdict waits
        for them, so that the reserve may be used."""
        free = self.left if urgent else self.left - self.kept
        return max(0, int(free / (self.price * answers_a_row) + 1e-9))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def period_start(start: datetime, period: timedelta, as_of: datetime) -> datetime:
    """Begin of the period that holds `as_of`; periods are counted from `start`."""
    return start + ((as_of - start) // period) * period


def account(
    purchases: Iterable[Purchase],
    budget: float,
    price: float,
    start: datetime,
    period: timedelta,
    as_of: datetime,
    reserve: float = 0.0,
) -> Account:
    """The account at `as_of`, from all purchases made until then; whole periods count, so that a repeated or
    backfilled request finds what was spent after it in its period, too."""
    now = period_start(start, period, as_of)
    spent: dict[datetime, float] = {}
    for bought in purchases:
        begin = period_start(start, period, bought.as_of)
        spent[begin] = spent.get(begin, 0.0) + bought.cost
    carried, before = 0.0, None
    for begin in sorted(s for s in spent if s < now):
        if before is not None:
            carried = _paid_back(carried, budget, (begin - before) // period - 1)
        carried, before = min(0.0, budget + carried - spent[begin]), begin
    if before is not None:
        carried = _paid_back(carried, budget, (now - before) // period - 1)
    return Account(budget, price, now.isoformat(), spent.get(now, 0.0), carried, reserve)


def _paid_back(carried: float, budget: float, idle: int) -> float:
    """An overdraft after `idle` periods without a purchase."""
    return min(0.0, carried + budget * idle)
