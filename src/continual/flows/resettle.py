"""Verdicts of the past with what is known by now: a late label may turn one, and then that is said, not rewritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from continual.core.slices import Slice
from continual.core.verdict import GateEvidence, Verdict
from continual.core.window import Window, days_of, utc
from continual.errors import ModelUnavailable, PolicyError
from continual.flows.judged_rows import judged_rows
from continual.flows.label_noise import label_noise
from continual.flows.workspace import Outcome, Workspace
from continual.policy.last_good import PolicyShelf
from continual.policy.load import LoadedPolicy

if TYPE_CHECKING:
    from continual.stores.entry import Entry

#: Verdicts older than this stay as they are: their models serve no more.
SINCE = timedelta(days=90)
KIND = "resettled"


def resettle(ws: Workspace, as_of: datetime) -> Outcome:
    """Judge again, under the policy of that time, every verdict of the last 90 days whose window has labels that came
    since. A verdict that would be another one now is recorded once, as kind `resettled`; the old one stands.
    """
    as_of = utc(as_of)
    verdicts = ws.ledger.entries(kind="verdict", since=as_of - SINCE)
    said = [text for entry in verdicts if entry.as_of < as_of and (text := _again(ws, entry, as_of))]
    told = "; ".join(said) or "none would be another one today"
    return Outcome(f"{len(verdicts)} verdicts of the last {SINCE.days} days: {told}", {"changed": said})


def _again(ws: Workspace, entry: Entry, as_of: datetime) -> str | None:
    """A sentence when the verdict would be another one, or could not be judged again."""
    judged = ws.ledger.get(entry.evidence["evaluation"]["key"])
    if judged is None:
        return None
    evidence = GateEvidence.from_dict(judged.evidence["gate"])
    window = Window.from_dict(evidence.window)
    if not _touched(ws, window, entry.as_of, as_of):
        return None
    before = str(entry.evidence["verdict"]["answer"])
    try:
        now, verdict = _judged(ws, judged, evidence, window, as_of)
    except (ModelUnavailable, PolicyError) as error:
        return f"the verdict on version {evidence.candidate} of {entry.as_of:%Y-%m-%d} was not judged again: {error}"
    if str(verdict.answer) == before:
        return None
    reason = (
        f"the verdict on version {evidence.candidate} of {entry.as_of:%Y-%m-%d} was {before}; with the labels known "
        f"by now it would be {verdict.answer}: {verdict.reason}"
    )
    record = {"verdict": {"key": entry.key, "hash": entry.hash, "answer": before}, "gate": now.as_dict()}
    key = f"{KIND}:{entry.key}:{verdict.answer}"
    ws.ledger.append(KIND, key, as_of, reason, {**record, "now": verdict.as_dict()}, judged.policy_hash, ws.run)
    return reason


def _touched(ws: Workspace, window: Window, since: datetime, as_of: datetime) -> bool:
    return not set(days_of(window)).isdisjoint(ws.log.touched_days(since, as_of))


def _judged(
    ws: Workspace, judged: Entry, evidence: GateEvidence, window: Window, as_of: datetime
) -> tuple[GateEvidence, Verdict]:
    """The same evidence with the labels of now, and what the policy of then says to it."""
    then = replace(ws, loaded=_policy_of(ws, judged.policy_hash))
    rows = judged_rows(then, evidence.candidate, evidence.champion, window, as_of)
    configured = {name: position for position, name in enumerate(evidence.configured_slices)}
    slices = [Slice(**s) for s in judged.evidence["slices"] if s["name"] in configured]
    now = replace(evidence, slices=rows.evidence(then, slices), as_of=as_of.isoformat(), leaked_rows=rows.leaked)
    if evidence.noise is not None:
        now = replace(now, noise=label_noise(then, as_of))
    return now, then.policy.gate.judge(now, then.policy.metric_terms())


def _policy_of(ws: Workspace, policy_hash: str) -> LoadedPolicy:
    if policy_hash == ws.loaded.hash:
        return ws.loaded
    return PolicyShelf(ws.settings.home, ws.settings.configs).by_hash(ws.app, policy_hash)
