"""Back to the last known good version: checked before, confirmed after, the bad lineage quarantined."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continual.core.window import Window, utc
from continual.errors import ModelUnavailable, PromotionRefused, Skipped
from continual.flows.champion import Move, move_champion, reconcile
from continual.flows.comparison import compare_overall
from continual.flows.serving_check import check_serves
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import matured_until


@dataclass(frozen=True)
class RollbackRequest:
    """Why and to where. champion: the version to leave; a request about another champion is stale. to: target
    version, or None for the last known good one. alarm_key: ledger key of the alarm, None when a person asks."""

    champion: str
    reason: str
    to: str | None = None
    alarm_key: str | None = None


def roll_back(ws: Workspace, request: RollbackRequest, as_of: datetime) -> Outcome:
    """Leave `request.champion` and quarantine its lineage, once.

    Raises
    ------
    Skipped: the champion is another one already (s41). PromotionRefused: no eligible target, or the target is
    worse on current rows (s44). ModelUnavailable: no target loads and scores today's rows: page a person.
    """
    as_of = utc(as_of)
    base = f"rollback:{request.champion}:{as_of.isoformat()}"
    reconcile(ws, as_of)
    done = ws.ledger.get(f"{base}:confirmed")
    if done is None:
        _check_current(ws, request)
        target = _choose(ws, request, as_of)
        move = Move(
            kind="rollback",
            base=base,
            target=target,
            expected=request.champion,
            next_previous=_good_before(ws, exclude={target, request.champion}),
            as_of=as_of,
            reason=f"roll back from version {request.champion} to {target}: {request.reason}",
            evidence={"alarm": request.alarm_key, "asked": request.reason},
        )
        done = move_champion(ws, move)
    return Outcome(done.reason, {"version": done.evidence["target"], "quarantined": request.champion})


def _check_current(ws: Workspace, request: RollbackRequest) -> None:
    current = ws.champions.current()
    now = current.version if current else None
    if now != request.champion:
        raise Skipped(
            f"Only the present champion is rolled back; the request is about version {request.champion}.",
            f"champion is version {now}.",
            "nothing: it was left already.",
        )


def _choose(ws: Workspace, request: RollbackRequest, as_of: datetime) -> str:
    """The target that loads, scores today's rows and is not worse than what it replaces."""
    wanted = [request.to] if request.to else _known_good(ws, exclude={request.champion})
    problems = []
    for version in wanted:
        problem = _unfit(ws, version, request.champion, as_of)
        if problem is None:
            return version
        problems.append(f"version {version}: {problem}")
    raise PromotionRefused(
        "A rollback needs a version that loads, scores today's rows and is no worse.",
        "; ".join(problems) or "no earlier champion is left.",
        f"call {ws.policy.owner}: the champion still serves; promote a fixed version by hand or retrain.",
    )


def _unfit(ws: Workspace, version: str, champion: str, as_of: datetime) -> str | None:
    if version == champion:
        return "it is the champion to leave"
    known = ws.versions.versions(version=version)
    if not known:
        return "never registered"
    if known[0].state == "quarantined":
        return f"quarantined: {known[0].reason}"
    try:
        check_serves(ws, version, as_of)
        worse = _worse_overall(ws, version, champion, as_of)
    except ModelUnavailable as error:
        return str(error)
    return worse


def _worse_overall(ws: Workspace, version: str, champion: str, as_of: datetime) -> str | None:
    """Compare on the rows served since, before moving (s44). A harmed slice outweighs what the average gained, as
    in the gate, but not a loss of the primary metric shown to be larger than its margin."""
    current, end = ws.champions.current(), matured_until(ws.policy, as_of)
    if current is None or end <= current.as_of:
        return None
    found = compare_overall(ws, version, champion, Window(current.as_of, end), as_of)
    margin = ws.policy.primary.margin
    if found.high is not None and found.high < -margin:
        return (
            f"worse by more than the margin {margin:g} on the rows since {current.as_of:%Y-%m-%d} "
            f"({found.gain:+.4f}, 95% [{found.low:+.4f}, {found.high:+.4f}])"
        )
    return None


def _known_good(ws: Workspace, exclude: set[str]) -> list[str]:
    """Earlier champions, newest first, without the quarantined."""
    seen: dict[str, None] = {}
    for item in reversed(ws.champions.read()):
        for version in (item.version, item.previous):
            if version and version not in exclude and ws.versions.get(version).state != "quarantined":
                seen.setdefault(version)
    return list(seen)


def _good_before(ws: Workspace, exclude: set[str]) -> str | None:
    good = _known_good(ws, exclude)
    return good[0] if good else None


def request_for(ws: Workspace, event: dict[str, Any], form: dict[str, Any]) -> RollbackRequest:
    """A request from an alarm's asset event, else from the trigger form. Without a version to leave in the form it is
    about the present champion, or, when this run began before and is cleared or tried again, about the one it left.

    Raises
    ------
    Skipped: there is no champion.
    """
    if event.get("champion"):
        return RollbackRequest(str(event["champion"]), str(event["reason"]), alarm_key=event.get("alarm_key"))
    current = ws.champions.current()
    if current is None:
        raise Skipped("There must be a champion to roll back.", "none.", "nothing.")
    to = str(form["to"]) if form.get("to") else None
    leave = form.get("leave") or _begun_by(ws) or current.version
    return RollbackRequest(str(leave), str(form.get("reason") or "asked for by hand"), to)


def _begun_by(ws: Workspace) -> str | None:
    """The version this very run began to leave; people at a prompt are not one run."""
    if ws.run == "cli":
        return None
    intents = ws.ledger.entries(kind="intent", newest_first=True)
    own = (e.evidence["expected"] for e in intents if e.run == ws.run and e.evidence["kind"] == "rollback")
    return next(own, None)
