"""One message for each incident, worded after the action and checked against the registry. Told twice: never knowingly;
not told: only while the channel is away or the hours are quiet, and then later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from continual.errors import ContinualError, ModelUnavailable
from continual.flows.publish import run_url
from continual.flows.workspace import Workspace
from continual.policy.notify import URGENT

if TYPE_CHECKING:
    from continual.stores.entry import Entry

NOTIFIED = "notified"
#: What was recorded earlier is no news: whoever switches messages on is not told the past.
NEWS = timedelta(days=3)
#: Subject and text to the channels -> delivered.
Send = Callable[[str, str], bool]


@dataclass(frozen=True)
class Incident:
    """key: one message each. topic: of the policy's `notify.about`."""

    key: str
    topic: str
    subject: str
    text: str
    as_of: datetime


def notify(ws: Workspace, now: datetime, send: Send | None = None, failed: Incident | None = None) -> list[Incident]:
    """Tell what is new and due; returns what was told. now: wall clock, decides what is news and what is quiet.

    failed: an incident that the ledger does not know. What could not be delivered is due at the next call.

    Raises
    ------
    ContinualError: the environment variable is not set, or holds no channel.
    """
    wanted = ws.policy.notify
    if wanted.to_env is None:
        return []
    send = send or _channels(wanted.to_env)
    quiet, told = wanted.is_quiet(now), []
    for one in [*([failed] if failed else []), *incidents(ws, now)]:
        key = f"{NOTIFIED}:{one.key}"
        if one.topic not in wanted.about or (quiet and one.topic not in URGENT) or ws.ledger.get(key) is not None:
            continue
        if send(one.subject, one.text):
            evidence = {"incident": one.key, "topic": one.topic, "text": one.text}
            ws.ledger.append(NOTIFIED, key, one.as_of, one.subject, evidence, ws.loaded.hash, ws.run)
            told.append(one)
    return told


def incidents(ws: Workspace, now: datetime) -> Iterator[Incident]:
    """Of the last days, oldest first. An alarm is told with what was done about it. Older entries are not read."""
    since = now - NEWS
    moves = ws.ledger.recorded_after(since, "champion")
    for entry in ws.ledger.recorded_after(since, "alarm"):
        yield from _alarm(ws, entry, moves)
    for entry in moves:
        yield from _move(ws, entry, moves)
    for entry in ws.ledger.recorded_after(since, "verdict"):
        yield from _verdict(ws, entry)
    yield from _set_aside(ws)


def failure(dag_id: str, run_id: str, task_id: str, reason: str, url: str | None, as_of: datetime) -> Incident:
    """One for each run, however many of its tasks fail."""
    where = f"\n{url}" if url else ""
    return Incident(f"failure:{dag_id}:{run_id}", "failure", f"{dag_id}: {task_id} failed", f"{reason}{where}", as_of)


def _alarm(ws: Workspace, entry: Entry, moves: list[Entry]) -> Iterator[Incident]:
    """None while the rollback it asked for has not ended: then there is one message, with how it ended."""
    after = _later(entry, moves)
    if after:
        text = f"{entry.reason}\nDone: {after[0].reason}\n{_served(ws, str(after[0].evidence['target']))}"
        yield _incident(ws, entry, "alarm", "alarm, champion changed", text)


def _move(ws: Workspace, entry: Entry, moves: list[Entry]) -> Iterator[Incident]:
    because = entry.evidence.get("because") or {}
    if because.get("alarm"):
        return  # told with the alarm
    kind, target = str(entry.evidence["kind"]), str(entry.evidence["target"])
    newer = _later(entry, moves)
    checked = f"It is not the champion any more: {newer[-1].reason}" if newer else _served(ws, target)
    topic = "alarm" if kind == "rollback" else "promotion"
    yield _incident(ws, entry, topic, f"version {target} is champion ({kind})", f"{entry.reason}\n{checked}")


def _later(entry: Entry, moves: list[Entry]) -> list[Entry]:
    return [e for e in moves if e.seq > entry.seq and e.as_of >= entry.as_of]


def _verdict(ws: Workspace, entry: Entry) -> Iterator[Incident]:
    answer, candidate = entry.evidence["verdict"]["answer"], entry.evidence["candidate"]
    if answer != "promote":
        yield _incident(ws, entry, "blocked", f"version {candidate} is not promoted", entry.reason)
    elif ws.policy.promotion.mode == "approve" and ws.ledger.get(f"approval:{entry.key}") is None:
        yield _incident(ws, entry, "waits", f"version {candidate} waits for your answer", entry.reason)


def _set_aside(ws: Workspace) -> Iterator[Incident]:
    """One for each stream, until nothing of it is set aside any more."""
    for stream in ("predictions", "labels"):
        items = ws.batches.items(state="open", stream=stream)
        if items:
            rows = sum(item.n_rows for item in items)
            text = f"{rows:,} rows of {stream}: {items[0].reason}\ncontinual quarantine list {ws.app}"
            yield Incident(f"data:{items[0].id}", "data", f"{ws.app}: rows set aside", text, items[0].opened_as_of)


def _incident(ws: Workspace, entry: Entry, topic: str, what: str, text: str) -> Incident:
    url = run_url(ws, entry.run)
    return Incident(entry.key, topic, f"{ws.app}: {what}", f"{text}\n{url}" if url else text, entry.as_of)


def _served(ws: Workspace, target: str) -> str:
    """The registry's own word, asked now: a message that says what did not happen is worse than none."""
    try:
        served = ws.fresh_registry().champion()
    except ModelUnavailable as error:
        return f"NOT confirmed, the registry does not answer: {error.got}"
    if served == target:
        return f"Confirmed by the registry: version {target} is champion."
    return f"NOT confirmed: the registry says version {served or 'none'} is champion."


def try_channel(ws: Workspace) -> None:
    """
    Raises
    ------
    ContinualError: the channel is not set, or did not take the message.
    """
    if not _channels(str(ws.policy.notify.to_env))(f"{ws.app}: a test", "The channel works."):
        raise ContinualError("The channel must take a message.", "it did not.", "check its URL, and that it answers.")


def _channels(variable: str) -> Send:
    from apprise import Apprise

    channels = Apprise()
    urls = os.environ.get(variable, "").split()
    if not urls or not all([channels.add(url) for url in urls]):
        raise ContinualError(
            f"{variable} must hold Apprise URLs, spaces between.",
            "it is not set." if not urls else "one of them is none.",
            "set it where Airflow's workers run, such as slack://..., mailto://..., json://host/path.",
        )
    return lambda subject, text: bool(channels.notify(title=subject, body=text))
