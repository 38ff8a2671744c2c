"""Before anything is trained: does a version that served before win on today's rows already?

A world that comes back (a season, a supplier, a repaired sensor) needs no new model. Versions that once served are
compared with the champion on the older half of the rows that judge candidates; the surest of them, if it is ahead for
sure, is a candidate like any other on the newer half: the same gate, its own charge to the yearly budget, the same
verdict, approval and promotion. The halves are disjoint, so that the choice costs the gate nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from continual.core.verdict import Answer
from continual.core.window import Window, floor_day, utc
from continual.core.zoo import OldVersion, surest
from continual.errors import ContinualError, ModelUnavailable, NotEnoughData
from continual.flows.champion import reconcile
from continual.flows.comparison import compare_overall
from continual.flows.evaluate import Trained, evaluate
from continual.flows.judge import judge
from continual.flows.warm_start import tainted
from continual.flows.workspace import Outcome, Workspace
from continual.policy.windows import retrain_windows

if TYPE_CHECKING:
    from continual.stores.entry import Entry

KIND = "zoo"


@dataclass(frozen=True)
class Halves:
    """Disjoint: an old version is chosen on the first and judged on the second."""

    choose: Window
    judge: Window


def zoo(ws: Workspace, as_of: datetime, cause: str) -> Outcome:
    """data['evaluation'] is the ledger key of the evidence on the old version that the gate would promote, or None:
    train. Then the ledger has a `retrain` without a dataset, because the trigger was answered.

    Raises
    ------
    LeaseHeld, ModelUnavailable: the registry does not answer. Everything else that hinders old versions hinders no
    retrain: the reason says it.
    """
    as_of = utc(as_of)
    reconcile(ws, as_of)
    key = f"{KIND}:{as_of.isoformat()}:{ws.loaded.hash}"
    entry = ws.ledger.get(key)
    if entry is None:
        asked = _ask(ws, as_of)
        if isinstance(asked, str):
            return Outcome(f"no old version asked: {asked}", {"evaluation": None, "as_of": as_of.isoformat()})
        entry = _decide(ws, asked, as_of, key)
    if entry.evidence["answer"] != Answer.PROMOTE:
        return Outcome(entry.reason, {"evaluation": None, "as_of": as_of.isoformat()})
    _note(ws, entry, cause)
    return Outcome(entry.reason, {**_candidate(entry), "as_of": as_of.isoformat()})


def _candidate(entry: Entry) -> dict[str, Any]:
    return {name: entry.evidence[name] for name in ("evaluation", "version", "champion")}


def retrained_by(ws: Workspace, as_of: datetime) -> Entry | None:
    """The entry of an old version that won at this instant, so that nothing is trained."""
    entry = ws.ledger.get(f"{KIND}:{utc(as_of).isoformat()}:{ws.loaded.hash}")
    return entry if entry is not None and entry.evidence["answer"] == Answer.PROMOTE else None


def evidence_of(entry: Entry) -> Outcome:
    """As `evaluate.evaluate` answers, of the old version that won."""
    return Outcome(entry.reason, _candidate(entry))


@dataclass(frozen=True)
class _Asked:
    champion: str
    halves: Halves
    found: Sequence[OldVersion]


def _ask(ws: Workspace, as_of: datetime) -> _Asked | str:
    """What was found, or why nobody was asked."""
    reign = ws.champions.current()
    if reign is None or ws.policy.zoo.versions == 0:
        return "there is no champion yet" if reign is None else "zoo.versions is 0"
    names = _old(ws, reign.version)
    if not names:
        return "no other version has served, or may"
    try:
        halves = halves_of(retrain_windows(ws.policy, as_of).evaluation)
    except NotEnoughData as error:
        return f"{error.must} {error.got}"
    if halves is None:
        return "window.evaluation is shorter than two days"
    return _Asked(reign.version, halves, [_compare(ws, v, reign.version, halves.choose, as_of) for v in names])


def halves_of(window: Window) -> Halves | None:
    """At a midnight near the middle; None when there is none inside."""
    middle = floor_day(window.start + (window.end - window.start) / 2)
    if not window.start < middle < window.end:
        return None
    return Halves(Window(window.start, middle), Window(middle, window.end))


def _old(ws: Workspace, champion: str) -> list[str]:
    """Versions that served and may serve again, the last one first; not one that a person declined as it was asked
    for against this champion."""
    served = list(dict.fromkeys(r.version for r in reversed(ws.champions.read()) if r.version != champion))
    declined = _declined(ws, champion)
    free = [v for v in served if v not in declined and _may_serve(ws, v)]
    return free[: ws.policy.zoo.versions]


def _may_serve(ws: Workspace, version: str) -> bool:
    lineage = ws.versions.lineage(version)
    if tainted(ws, lineage):
        return False
    recipe, trained = lineage[0].recipe_hash, lineage[0].trained
    return not (recipe and trained) or ws.versions.blocked(recipe, trained) is None


def _declined(ws: Workspace, champion: str) -> set[str]:
    asked = [e for e in ws.ledger.entries(kind=KIND) if e.evidence["champion"] == champion and e.evidence["verdict"]]
    answers = [(e, ws.ledger.get(f"approval:{e.evidence['verdict']}")) for e in asked]
    return {str(e.evidence["version"]) for e, said in answers if said is not None and not said.evidence["approved"]}


def _compare(ws: Workspace, version: str, champion: str, window: Window, as_of: datetime) -> OldVersion:
    """Gain on the rows that neither was trained on; a version that cannot answer today's rows is out of it."""
    try:
        found = compare_overall(ws, version, champion, window, as_of)
    except ModelUnavailable as error:
        ws.registry.champion()  # a registry that is down is not a version that does not load
        return OldVersion(version, None, None, None, 0, f"{error.got}"[:300])
    why = "" if found.gain is not None else found.method
    return OldVersion(version, found.gain, found.low, found.high, found.n, why)


def _decide(ws: Workspace, asked: _Asked, as_of: datetime, key: str) -> Entry:
    best = surest(asked.found)
    record: dict[str, Any] = {
        "champion": asked.champion,
        "chosen_on": asked.halves.choose.as_dict(),
        "judged_on": asked.halves.judge.as_dict(),
        "versions": [one.as_dict() for one in asked.found],
        "version": best.version if best else None,
        **{"evaluation": None, "verdict": None, "answer": None},
    }
    said = f"old versions against {asked.champion} on {asked.halves.choose}: " + ", ".join(
        one.sentence for one in asked.found
    )
    if best is None:
        return _append(ws, key, as_of, f"none is better for sure; {said}", record)
    try:
        evaluated = evaluate(ws, [Trained(best.version, "zoo", None)], as_of, asked.halves.judge).data
        judged = judge(ws, evaluated["evaluation"])
    except ModelUnavailable:
        raise
    except ContinualError as error:
        return _append(ws, key, as_of, f"version {best.version} could not be judged: {error.got} {said}", record)
    answers = {"evaluation": evaluated["evaluation"], "verdict": judged.data["verdict"]}
    record |= {**answers, "answer": judged.data["answer"]}
    won = judged.data["answer"] == Answer.PROMOTE
    reason = f"version {best.version} is back, nothing is trained" if won else f"version {best.version} does not win"
    return _append(ws, key, as_of, f"{reason}: {judged.reason}; {said}", record)


def _append(ws: Workspace, key: str, as_of: datetime, reason: str, record: dict[str, Any]) -> Entry:
    return ws.ledger.append(KIND, key, as_of, reason, record, ws.loaded.hash, ws.run)


def _note(ws: Workspace, entry: Entry, cause: str) -> None:
    """The trigger's answer: cooldowns, prices and the profit and loss count from it as from a training."""
    key = f"retrain:{entry.as_of.isoformat()}:{ws.loaded.hash}"
    record = {"cause": cause, "dataset": None, "zoo": entry.key, "verdict": entry.evidence["verdict"]}
    reason = f"version {entry.evidence['version']} again instead of a training: {cause}"
    ws.ledger.append("retrain", key, entry.as_of, reason, record, ws.loaded.hash, ws.run)
