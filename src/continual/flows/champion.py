"""Moving the champion: intent in the ledger, alias in the registry, confirmation. Two systems, one protocol.

A crash leaves at most an intent without an end; `reconcile` (start of every flow) finishes it if the world is as
the intent expected, else abandons it. The lease makes one writer; the alias is compared before it is swapped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from continual.core.window import utc
from continual.errors import LeaseHeld, ModelUnavailable, PromotionRefused, StoreError
from continual.flows.workspace import Workspace
from continual.models.registry import CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from continual.stores.entry import Entry
    from continual.stores.lease import Lease

#: A killed run's lease ends before another run has used up its retries (two, 20 s apart).
LEASE = timedelta(seconds=30)


@dataclass(frozen=True)
class Move:
    """Make `target` champion instead of `expected` (None: there is none yet).

    kind: bootstrap, promote or rollback. base: idempotency key; the same base moves once. next_previous: version
    that becomes alias `previous` (None: the alias is removed).
    """

    kind: str
    base: str
    target: str
    expected: str | None
    next_previous: str | None
    as_of: datetime
    reason: str
    evidence: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "base": self.base,
            "target": self.target,
            "expected": self.expected,
            "next_previous": self.next_previous,
            "because": self.evidence,
        }


def move_champion(ws: Workspace, move: Move) -> Entry:
    """Carry out `move` once; a second call returns the first one's confirmation. A rollback also quarantines the
    version it leaves.

    Raises
    ------
    LeaseHeld: another run is moving. PromotionRefused: the champion is not `move.expected`, or an earlier try of
    this move was abandoned. ModelUnavailable: the registry does not answer, or did not take the alias.
    """
    from continual.stores.lease import lease

    with lease(ws.db, ws.app, ws.holder, LEASE, move.expected) as held:
        _settle_open(ws, held)
        done = ws.ledger.get(_confirmed(move.base))
        if done is not None:
            return done
        if ws.ledger.get(_abandoned(move.base)) is not None:
            raise PromotionRefused(
                "A move that was abandoned is not repeated.", f"{move.base} was abandoned.", "start a new retrain."
            )
        current = ws.champions.current()
        held.confirm(current.version if current else None)
        held.confirm(ws.registry.champion())
        intent = _append(ws, "intent", _intent(move.base), move.as_of, f"about to {move.reason}", move.as_dict())
        return _finish(ws, intent, held)


def reconcile(ws: Workspace, as_of: datetime) -> str:
    """Make ledger, history and alias agree; returns one sentence.

    Raises
    ------
    LeaseHeld: another run is moving the champion just now. StoreError: the alias `champion` is gone although the
    ledger knows a champion. PromotionRefused: somebody gave the alias to a quarantined version. ModelUnavailable:
    registry down.
    """
    from continual.stores.lease import lease

    agree = "ledger and alias agree"
    if not any(still_open(ws) for still_open in (_open_adoption, _open_intent, _open_late)) and _agree(ws):
        return agree
    with lease(ws.db, ws.app, ws.holder, LEASE, None) as held:
        said = [_settle_open(ws, held), _settle_late(ws), None if _agree(ws) else _adopt(ws, as_of)]
        return "; ".join(s for s in said if s) or agree


def _settle_open(ws: Workspace, held: Lease) -> str | None:
    """End what a crash left open, by doing it or by saying that it will not be done."""
    adopted = _open_adoption(ws)
    if adopted is not None:
        _conclude_adoption(ws, adopted)
        return f"finished what a crash left: {adopted.reason}"
    intent = _open_intent(ws)
    if intent is None:
        return None
    alias, move = ws.registry.champion(), intent.evidence
    done = ws.ledger.get(_confirmed(move["base"]))
    if done is not None:  # the alias was moved then; whoever moved it since is a matter of its own
        _conclude(ws, done)
        return f"finished what a crash left: {done.reason}"
    if alias in (move["expected"], move["target"]):
        _finish(ws, intent, held)
        return f"finished what a crash left: {intent.reason}"
    reason = f"abandoned: champion is {alias}, the move expected {move['expected']}"
    _append(ws, "abandoned", _abandoned(move["base"]), intent.as_of, reason, {"alias": alias})
    return reason


def _finish(ws: Workspace, intent: Entry, held: Lease) -> Entry:
    """Every step can be repeated: a crash between any two of them is finished by the next call."""
    move = intent.evidence
    if move["next_previous"] is not None:
        ws.registry.set_alias(PREVIOUS, move["next_previous"])
    elif PREVIOUS in ws.registry.aliases():
        ws.registry.delete_alias(PREVIOUS)
    held.renew()  # a run that hung until its lease was taken must not move the alias any more
    ws.registry.set_alias(CHAMPION, move["target"])
    _still_ours(ws, held, intent)
    _assert_served(ws, move["target"])
    entry = _append(
        ws, "champion", _confirmed(move["base"]), intent.as_of, intent.reason.removeprefix("about to "), move
    )
    _conclude(ws, entry)
    return entry


def _conclude(ws: Workspace, done: Entry) -> None:
    """What follows from a confirmation."""
    ws.champions.append(done.evidence["target"], done.evidence["kind"], done.as_of, done.key)
    if done.evidence["kind"] == "rollback":
        _quarantine(ws, done)


def _still_ours(ws: Workspace, held: Lease, intent: Entry) -> None:
    """A request to the registry may take longer than the lease, and others may have moved on by the time it arrives:
    say so in the ledger, and the next flow puts right what it did."""
    try:
        held.renew()
    except LeaseHeld:
        target, key = intent.evidence["target"], f"{intent.evidence['base']}:late:{held.token}"
        _append(ws, "late", key, intent.as_of, f"alias champion was set to {target} too late", {"target": target})
        raise


def _settle_late(ws: Workspace) -> str | None:
    late = _open_late(ws)
    if late is None:
        return None
    current, reason = ws.champions.current(), "nothing was to be put right"
    if current is not None and ws.registry.champion() == late.evidence["target"] != current.version:
        ws.registry.set_alias(CHAMPION, current.version)
        reason = f"alias champion is back at version {current.version}: {late.reason}"
    _append(ws, "settled", f"{late.key}:settled", late.as_of, reason, {"late": late.key})
    return reason


def _open_late(ws: Workspace) -> Entry | None:
    late = ws.ledger.last("late")
    return late if late is not None and ws.ledger.get(f"{late.key}:settled") is None else None


def _quarantine(ws: Workspace, done: Entry) -> None:
    """The version a rollback left is never promoted again, neither it nor its recipe on overlapping rows (s45)."""
    version, why = done.evidence["expected"], str(done.evidence["because"]["asked"])
    ws.versions.quarantine_version(version, f"{why} ({done.key})")
    tags = {"continual.state": "quarantined", "continual.quarantine_reason": why[:5000]}
    ws.registry.tag(version, tags, missing_ok=True)
    reason = f"version {version} is quarantined: {why}"
    _append(ws, "quarantined", _quarantined(done.evidence["base"]), done.as_of, reason, {"version": version})


def _assert_served(ws: Workspace, version: str) -> None:
    """Ask a fresh client: 'the call did not fail' is not 'the alias moved' (s40)."""
    seen = ws.fresh_registry().champion()
    if seen != version:
        raise ModelUnavailable(
            f"The registry must serve version {version} as champion now.", f"version {seen}.", "clear this task."
        )


def _agree(ws: Workspace) -> bool:
    current = ws.champions.current()
    return ws.registry.champion() == (current.version if current else None)


def _adopt(ws: Workspace, as_of: datetime) -> str:
    """Somebody moved the alias in MLflow (s36): record it as what it is."""
    alias, current = ws.registry.champion(), ws.champions.current()
    old = current.version if current else None
    if alias is None:
        raise StoreError(
            f"Alias `champion` of {ws.app} must exist: the ledger says version {old}.",
            "no alias.",
            "set the alias in MLflow to the version that should serve.",
        )
    if alias == old:  # a twin of this task was faster
        return f"version {alias} is champion: adopted meanwhile"
    _check_adoptable(ws, alias, old)
    reason = f"alias champion was moved by hand from {old} to {alias}: adopted"
    key = f"adopted:{current.seq if current else 0}:{alias}"
    since = max(utc(as_of), current.as_of) if current else utc(as_of)
    if old is not None:
        ws.registry.set_alias(PREVIOUS, old)
    _conclude_adoption(ws, _append(ws, "adopted", key, since, reason, {"from": old, "to": alias}))
    return reason


def _conclude_adoption(ws: Workspace, adopted: Entry) -> None:
    from continual.stores.versions import ModelVersion

    version = adopted.evidence["to"]
    ws.versions.register(ModelVersion(version=version, run_id=ws.registry.version(version).run_id))
    ws.champions.append(version, "adopted", adopted.as_of, adopted.key)


def _check_adoptable(ws: Workspace, alias: str, old: str | None) -> None:
    for known in ws.versions.versions(version=alias):
        if known.state == "quarantined":
            raise PromotionRefused(
                "A quarantined version must not serve.",
                f"alias champion was moved by hand to version {alias}: {known.reason}.",
                f"set the alias in MLflow back to version {old} or to another good one.",
            )


def _open_intent(ws: Workspace) -> Entry | None:
    """The newest intent, unless it was abandoned or its last step is done."""
    intent = ws.ledger.last("intent")
    if intent is None:
        return None
    base = intent.evidence["base"]
    if ws.ledger.get(_abandoned(base)) is not None:
        return None
    if intent.evidence["kind"] == "rollback":
        return None if ws.ledger.get(_quarantined(base)) is not None else intent
    return None if _in_history(ws, _confirmed(base)) else intent


def _open_adoption(ws: Workspace) -> Entry | None:
    adopted = ws.ledger.last("adopted")
    return adopted if adopted is not None and not _in_history(ws, adopted.key) else None


def _in_history(ws: Workspace, decision_key: str) -> bool:
    return any(reign.decision_key == decision_key for reign in ws.champions.read())


def _append(ws: Workspace, kind: str, key: str, as_of: datetime, reason: str, evidence: dict[str, Any]) -> Entry:
    return ws.ledger.append(kind, key, as_of, reason, evidence, ws.loaded.hash, ws.run)


def _intent(base: str) -> str:
    return f"{base}:intent"


def _confirmed(base: str) -> str:
    return f"{base}:confirmed"


def _quarantined(base: str) -> str:
    return f"{base}:quarantined"


def _abandoned(base: str) -> str:
    return f"{base}:abandoned"
