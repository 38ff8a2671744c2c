"""Verdicts derived again from the ledger: recorded evidence, the policy snapshot of the day, no model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from continual.core.canonical import plain
from continual.core.verdict import GateEvidence
from continual.errors import ContinualError
from continual.policy.last_good import PolicyShelf

if TYPE_CHECKING:
    from continual.stores.entry import Entry
    from continual.stores.ledger import Ledger


@dataclass(frozen=True)
class Rederived:
    """One verdict. same: None when it cannot be derived again, `difference` says why. difference: '' when same."""

    seq: int
    key: str
    candidate: str
    answer: str
    same: bool | None
    difference: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def rederive_verdicts(ledger: Ledger, shelf: PolicyShelf) -> Iterator[Rederived]:
    """Every verdict in the ledger, oldest first."""
    for entry in ledger.entries(kind="verdict"):
        recorded = entry.evidence["verdict"]
        try:
            again = _judge(ledger, shelf, entry)
            same, difference = again == recorded, _difference(recorded, again)
        except ContinualError as error:
            same, difference = None, str(error)
        yield Rederived(entry.seq, entry.key, entry.evidence["candidate"], recorded["answer"], same, difference)


def _judge(ledger: Ledger, shelf: PolicyShelf, verdict: Entry) -> dict[str, Any]:
    """The verdict as the ledger would store it.

    Raises
    ------
    LedgerError: the evidence is not the one that was judged. PolicyError: the snapshot is gone or means something else.
    """
    from continual.errors import LedgerError
    from continual.stores.entry import storable

    named = verdict.evidence["evaluation"]
    evaluation = ledger.get(named["key"])
    if evaluation is None or evaluation.hash != named["hash"]:
        raise LedgerError(
            "A verdict's evidence must be in the ledger as it was judged.",
            f"{named['key']} {'is missing' if evaluation is None else 'has another hash'}.",
            "run `continual ledger verify`.",
        )
    policy = shelf.by_hash(ledger.app, verdict.policy_hash).policy
    again = policy.gate.judge(GateEvidence.from_dict(evaluation.evidence["gate"]), policy.metric_terms())
    return dict(storable(again.as_dict()))


def _difference(recorded: dict[str, Any], again: dict[str, Any]) -> str:
    names = sorted(name for name in {*recorded, *again} if recorded.get(name) != again.get(name))
    if not names:
        return ""
    if "answer" in names:
        return f"recorded {recorded['answer']}, now {again['answer']}: {again['reason']}"
    return f"same answer, other {', '.join(names)}: {plain(again).get('reason')}"
