"""Decisions derived again from the ledger: recorded evidence, the policy snapshot of the day, no model.

A kind of decision that is a function of what the ledger holds registers how it is derived, with `derives`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from continual.core.canonical import plain
from continual.core.verdict import GateEvidence
from continual.errors import ContinualError, LedgerError
from continual.policy.last_good import PolicyShelf
from continual.triggers.base import Decision, TriggerEvidence, reasoned

if TYPE_CHECKING:
    from continual.policy.models import Policy
    from continual.stores.entry import Entry
    from continual.stores.ledger import Ledger


@dataclass(frozen=True)
class Rederived:
    """One decision. candidate, answer: of whom, and what. same: None when it cannot be derived again, `difference`
    says why. difference: '' when same."""

    seq: int
    key: str
    kind: str
    candidate: str
    answer: str
    same: bool | None
    difference: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Replay:
    """What derivations read; policy snapshots are loaded once."""

    ledger: Ledger
    shelf: PolicyShelf
    _policies: dict[str, Policy] = field(default_factory=dict)
    _kinds: dict[str, list[Entry]] = field(default_factory=dict)

    def policy(self, of: Entry) -> Policy:
        """The policy the decision was made under.

        Raises
        ------
        PolicyError: the snapshot is gone or means something else.
        """
        if of.policy_hash not in self._policies:
            self._policies[of.policy_hash] = self.shelf.by_hash(self.ledger.app, of.policy_hash).policy
        return self._policies[of.policy_hash]

    def before(self, entry: Entry, kind: str) -> list[Entry]:
        """Entries of a kind that were recorded before `entry`."""
        if kind not in self._kinds:
            self._kinds[kind] = self.ledger.entries(kind=kind)
        return [e for e in self._kinds[kind] if e.seq < entry.seq]


@dataclass(frozen=True)
class Both:
    """A decision as recorded and as derived again, each as the ledger would store it; with `answer` and `reason`."""

    candidate: str
    recorded: dict[str, Any]
    again: dict[str, Any]


Derive = Callable[[Replay, "Entry"], Both]
#: Kind of ledger entry -> how its decision follows from its evidence.
DERIVES: dict[str, Derive] = {}


def derives(kind: str) -> Callable[[Derive], Derive]:
    """Register the derivation of a kind of ledger entry."""

    def register(derive: Derive) -> Derive:
        DERIVES[kind] = derive
        return derive

    return register


def rederive(ledger: Ledger, shelf: PolicyShelf) -> Iterator[Rederived]:
    """Every decision in the ledger that is a function of its evidence, in the order they were recorded."""
    replay = Replay(ledger, shelf)
    for entry in ledger.entries():
        if entry.kind in DERIVES:
            yield _rederive(replay, entry)


def _rederive(replay: Replay, entry: Entry) -> Rederived:
    try:
        both = DERIVES[entry.kind](replay, entry)
    except (ContinualError, KeyError, TypeError, ValueError) as error:
        said = str(error) if isinstance(error, ContinualError) else f"the evidence is incomplete: {error!r}"
        candidate, answer = _told(entry)
        return Rederived(entry.seq, entry.key, entry.kind, candidate, answer, None, said)
    same, answer = both.recorded == both.again, str(both.recorded["answer"])
    return Rederived(entry.seq, entry.key, entry.kind, both.candidate, answer, same, _difference(both))


def _told(entry: Entry) -> tuple[str, str]:
    """Of whom and what, as far as a broken entry tells."""
    verdict = entry.evidence.get("verdict")
    answer = verdict.get("answer", "") if isinstance(verdict, dict) else entry.evidence.get("retrain", "")
    return str(entry.evidence.get("candidate") or entry.evidence.get("champion") or ""), str(answer)


def _difference(both: Both) -> str:
    recorded, again = both.recorded, both.again
    names = sorted(name for name in {*recorded, *again} if recorded.get(name) != again.get(name))
    if not names:
        return ""
    if "answer" in names:
        return f"recorded {recorded['answer']}, now {again['answer']}: {again['reason']}"
    return f"same answer, other {', '.join(names)}: {plain(again).get('reason')}"


@derives("verdict")
def _verdict(replay: Replay, entry: Entry) -> Both:
    """The policy's gate on the evaluation that the verdict names by key and hash."""
    from continual.stores.entry import storable

    named = entry.evidence["evaluation"]
    evaluation = replay.ledger.get(named["key"])
    if evaluation is None or evaluation.hash != named["hash"]:
        raise LedgerError(
            "A verdict's evidence must be in the ledger as it was judged.",
            f"{named['key']} {'is missing' if evaluation is None else 'has another hash'}.",
            "run `continual ledger verify`.",
        )
    policy = replay.policy(entry)
    again = policy.gate.judge(GateEvidence.from_dict(evaluation.evidence["gate"]), policy.metric_terms())
    return Both(entry.evidence["candidate"], entry.evidence["verdict"], dict(storable(again.as_dict())))


@derives("trigger")
def _trigger(replay: Replay, entry: Entry) -> Both:
    """The policy's trigger on its evidence, unless a guard that all triggers share decided."""
    from continual.stores.entry import storable

    recorded = {"answer": _word(entry.evidence["retrain"]), "reason": entry.reason}
    guard = _guard(replay, entry)
    if guard is not None:
        return Both("", recorded, {"answer": "no retrain", "reason": guard})
    decision = _diagnosed(replay, entry)
    if decision is None:
        decision = reasoned(replay.policy(entry).trigger, TriggerEvidence.from_dict(entry.evidence["evidence"]))
    word = _word(decision.retrain)
    return Both("", recorded, dict(storable({"answer": word, "reason": f"{word}: {decision.reason}"})))


def _word(retrain: bool) -> str:
    return "retrain" if retrain else "no retrain"


_COOLING = "no retrain: cooling down after the rollback of "
_ROLLING_BACK = "no retrain: the champion is being rolled back"


def _guard(replay: Replay, entry: Entry) -> str | None:
    """What a guard said, if the ledger holds the rollback or alarm that it speaks of.

    Raises
    ------
    LedgerError: there is none, so nothing shows why the guard spoke.
    """
    if entry.reason == _ROLLING_BACK:
        seen = replay.before(entry, "alarm")
    elif entry.reason.startswith(_COOLING):
        moves = replay.before(entry, "champion")
        days = entry.reason.removeprefix(_COOLING)
        seen = [e for e in moves if e.evidence["kind"] == "rollback" and f"{e.as_of:%Y-%m-%d}" == days]
    else:
        return None
    if seen:
        return entry.reason
    raise LedgerError(
        "A guard must speak of something that the ledger holds.",
        f"{entry.reason!r}, and nothing like it before.",
        "run `continual ledger verify`.",
    )


def _diagnosed(replay: Replay, entry: Entry) -> Decision | None:
    """What the diagnosis of the same look asked for, which goes before the policy's trigger."""
    found = [e.evidence["diagnosis"] for e in replay.before(entry, "diagnosis") if e.as_of == entry.as_of]
    if not found:
        return None
    if found[-1]["actuator"] == "retrain":
        return Decision(True, found[-1]["reason"])
    return Decision(False, f"on hold: {found[-1]['reason']}")


@derives("diagnosis")
def _diagnosis(replay: Replay, entry: Entry) -> Both:
    """The rules of diagnosis on its evidence."""
    from continual.core.diagnosis import DiagnosisEvidence, diagnose
    from continual.stores.entry import storable

    recorded = entry.evidence["diagnosis"]
    again = dict(storable(diagnose(DiagnosisEvidence.from_dict(entry.evidence["evidence"])).as_dict()))
    answers = [{**one, "answer": one["actuator"]} for one in (recorded, again)]
    return Both(str(entry.evidence["evidence"]["champion"]), *answers)


@derives("monitor")
def _monitor(replay: Replay, entry: Entry) -> Both:
    """The alarms follow from the readings; the rows behind the readings are in the log, not in the ledger."""
    found = entry.evidence["reading"]
    alarms = [r["slice"] for r in found["readings"] if r["alarmed_on"] and r["evidence"] >= r["threshold"]]
    recorded = {"answer": _alarmed(found["alarms"]), "reason": entry.reason, "alarms": found["alarms"]}
    again = {"answer": _alarmed(alarms), "reason": found["reason"], "alarms": alarms}
    return Both(str(entry.evidence["champion"]), recorded, again)


@derives("alarm")
def _alarm(replay: Replay, entry: Entry) -> Both:
    """As the look it came from, which must be in the ledger with the same reading."""
    look = replay.ledger.get(f"monitor:{entry.key.split(':')[1]}:{entry.as_of.isoformat()}")
    if look is None or look.evidence["reading"] != entry.evidence["reading"]:
        raise LedgerError(
            "An alarm must have the reading of its look at the monitor.",
            "no such look." if look is None else "another reading.",
            "run `continual ledger verify`.",
        )
    return _monitor(replay, entry)


def _alarmed(alarms: list[str]) -> str:
    return "alarm" if alarms else "quiet"


@derives("labels_asked")
def _labels_asked(replay: Replay, entry: Entry) -> Both:
    """How many labels, where, from which window and at what price; the rows are drawn from the log, not from here."""
    from continual.flows.label_order import Order, plan, sentence
    from continual.stores.entry import storable

    seen = entry.evidence
    verdicts, asked = replay.before(entry, "verdict"), replay.before(entry, "labels_asked")
    first = not (replay.before(entry, "champion") or replay.before(entry, "adopted"))
    found = plan(replay.policy(entry), Order(**seen["order"]), entry.as_of, asked, verdicts, first).as_dict()
    again = dict(storable({name: value for name, value in found.items() if name in seen}))  # once without `rows`
    if "aim" not in seen and seen["need"]["verdict"]:  # then the newest rows were asked about for a verdict, too
        again["window"] = seen["window"]
    again |= {"cost": seen["answers"] * again["price"]}
    recorded = {name: seen[name] for name in again}
    said = {"answer": "ask" if found["rows"] else "ask nobody", "reason": sentence({**seen, **again})}
    return Both("", {**recorded, "answer": "ask", "reason": entry.reason}, {**again, **said})


@derives("zoo")
def _zoo(replay: Replay, entry: Entry) -> Both:
    """The choice among old versions on their recorded intervals; the verdict on it is derived by itself."""
    from continual.core.zoo import OldVersion, surest

    found = surest([OldVersion(**one) for one in entry.evidence["versions"]])
    recorded = {"answer": _named(entry.evidence["version"]), "reason": entry.reason}
    again = {"answer": _named(found.version if found else None), "reason": entry.reason}
    return Both(str(entry.evidence["champion"]), recorded, again)


def _named(version: str | None) -> str:
    return f"version {version}" if version else "none"
