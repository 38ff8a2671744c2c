"""Forget record keys, or days past their retention: from the log, the quarantine, the datasets and the label queue.

The intent, with the affected days, is on record before the first row goes: a killed run is finished by the same call.
The ledger says how many rows and why, never whose: a request is recognised by a salted digest. Outside its reach:
delivered files in the landing folder, files of answers, tasks that a labelling server holds, example rows in the
tracking server, what a model has learnt, backups.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from continual.core.canonical import canonical_json
from continual.core.window import day_window, floor_day, utc
from continual.errors import Skipped
from continual.flows.champion import LEASE
from continual.flows.data_docs import DataDocs
from continual.flows.workspace import Outcome, Workspace

if TYPE_CHECKING:
    from continual.stores.entry import Entry
    from continual.stores.erasure import ErasureStore
    from continual.stores.label_erase import LabelErasure
    from continual.stores.log_erase import Erased


def erase(ws: Workspace, keys: Collection[str], reason: str, as_of: datetime) -> Outcome:
    """Delete every trace of these record keys; data says how many rows of which stream, day and dataset. Idempotent:
    killed anywhere, the same call finishes it; done, it repeats its answer.

    Raises
    ------
    Skipped: nothing is stored under these keys. LeaseHeld: another run is writing. StoreError: the log does not
    accept the commit.
    """
    from continual.stores.lease import lease

    wanted, as_of = sorted(set(keys)), utc(as_of)
    with lease(ws.db, ws.app, ws.holder, LEASE, None) as held:
        intent = _asked(ws, wanted, reason, as_of)
        done = ws.ledger.get(f"{intent.key}:done")
        if done is None:
            _store(ws).record(intent.key, _days(intent), reason, as_of, "erase")
            datasets = _datasets(ws, intent, wanted)
            held.renew()
            ws.log.erasure.erase(wanted)
            _forget_labels(ws, wanted)
            _forget_cells(ws, intent)
            DataDocs(ws.settings.home, ws.app).forget()
            _store(ws).shrink_items(_left(ws, intent.evidence["items"]))
            done = _end(ws, intent, {"datasets": datasets})
    return Outcome(done.reason, done.evidence)


def expire(ws: Workspace, before: datetime, reason: str, as_of: datetime) -> Outcome:
    """Drop whole days of the log before the UTC day of `before` (retention). Datasets stay: their rows are copies,
    dropped with the versions trained on them. Idempotent as `erase`.

    Raises
    ------
    Skipped: nothing is that old. LeaseHeld, StoreError: as `erase`.
    """
    from continual.stores.lease import lease

    first, as_of = floor_day(before), utc(as_of)
    with lease(ws.db, ws.app, ws.holder, LEASE, None) as held:
        key = f"retention:{first.date().isoformat()}:{as_of.isoformat()}"
        intent = ws.ledger.get(key) or _intend(ws, key, find_before(ws, first), reason, as_of)
        done = ws.ledger.get(f"{key}:done")
        if done is None:
            _store(ws).record(key, _days(intent), reason, as_of, "retention")
            held.renew()
            ws.log.erasure.expire_before(first)
            _queue(ws).expire_before(first)
            DataDocs(ws.settings.home, ws.app).forget(first)
            _store(ws).shrink_items(_left(ws, intent.evidence["items"]))
            done = _end(ws, intent, {})
    return Outcome(done.reason, done.evidence)


def expire_snapshots(ws: Workspace, older_than: datetime) -> Outcome:
    """Forget old snapshots of the log but those that a dataset version was read from."""
    kept = ws.datasets.snapshots()
    count = ws.log.erasure.expire_snapshots(older_than, kept)
    return Outcome(f"{count} snapshots expired, {len(kept)} kept for datasets", {"expired": count})


def find(ws: Workspace, keys: Collection[str]) -> Erased:
    """What `erase` would delete now."""
    found = ws.log.erasure.find(keys)
    return replace(found, rows={**found.rows, **_queue(ws).find(keys)})


def find_before(ws: Workspace, moment: datetime) -> Erased:
    """What `expire` would delete now."""
    first = floor_day(moment)
    found = ws.log.erasure.find_before(first)
    return replace(found, rows={**found.rows, **_queue(ws).find_before(first)})


def _asked(ws: Workspace, keys: list[str], reason: str, as_of: datetime) -> Entry:
    """The intent of this very request, from before a kill or made now."""
    for entry in ws.ledger.entries(kind="erase_intent", since=as_of):
        seen = entry.evidence
        if entry.as_of == as_of and seen["why"] == reason and seen["request"] == _sealed(keys, seen["salt"]):
            return entry
    salt = secrets.token_hex(16)
    request = _sealed(keys, salt)
    more = {"salt": salt, "request": request, "keys": len(keys)}
    return _intend(ws, f"erase:{request[:32]}", find(ws, keys), reason, as_of, more, ws.datasets.holding(keys))


def _sealed(keys: Iterable[str], salt: str) -> str:
    return hmac.new(bytes.fromhex(salt), canonical_json(list(keys)).encode(), hashlib.sha256).hexdigest()


def _intend(
    ws: Workspace,
    key: str,
    found: Erased,
    reason: str,
    as_of: datetime,
    more: dict[str, Any] | None = None,
    datasets: Collection[str] = (),
) -> Entry:
    rows = sum(found.rows.values())
    if not rows and not datasets:
        raise Skipped("There must be something to delete.", f"no row of {ws.app} is meant.", "nothing.")
    days = {day.isoformat(): n for day, n in found.days.items()}
    record = {"rows": found.rows, "days": days, "items": sorted(found.items), "why": reason, **(more or {})}
    kind = key.split(":", maxsplit=1)[0]
    said = f"about to delete {rows:,} rows of {len(days)} days and of {len(datasets)} datasets: {reason}"
    record["datasets"] = sorted(datasets)
    return ws.ledger.append(f"{kind}_intent", key, as_of, said, record, ws.loaded.hash, ws.run)


def _forget_labels(ws: Workspace, keys: Collection[str]) -> None:
    """The rows of a file of tasks go, what people have filled in beside them stays."""
    from continual.flows.label_desk import desk_of
    from continual.labelers import _files

    _files.drop(desk_of(ws).folder / _files.TASKS, keys)
    _queue(ws).erase(keys)


def _forget_cells(ws: Workspace, intent: Entry) -> None:
    """Statistics with the erased rows in them go, of every instant; what is left of the days is counted when asked."""
    for day in intent.evidence["days"]:
        ws.cells.delete_days(day_window(date.fromisoformat(day)))


def _datasets(ws: Workspace, intent: Entry, keys: list[str]) -> list[str]:
    return sorted({*intent.evidence["datasets"], *ws.datasets.erase(keys)})


def _end(ws: Workspace, intent: Entry, more: dict[str, Any]) -> Entry:
    seen = intent.evidence
    record = {"rows": seen["rows"], "days": seen["days"], "why": seen["why"], **more}
    shown = ", ".join(f"{n:,} {stream}" for stream, n in seen["rows"].items() if n)
    datasets = f", {len(more['datasets'])} datasets no longer reproducible" if more.get("datasets") else ""
    said = f"deleted {shown or 'no logged row'} on {len(seen['days'])} days{datasets}: {seen['why']}"
    kind = intent.kind.removesuffix("_intent")
    return ws.ledger.append(kind, f"{intent.key}:done", intent.as_of, said, record, ws.loaded.hash, ws.run)


def _days(intent: Entry) -> dict[date, int]:
    return {date.fromisoformat(day): n for day, n in intent.evidence["days"].items()}


def _left(ws: Workspace, items: Collection[str]) -> dict[str, int]:
    return {item: len(ws.log.read_quarantine(item)) for item in items}


def _store(ws: Workspace) -> ErasureStore:
    from continual.stores.erasure import ErasureStore

    return ErasureStore(ws.db, ws.app)


def _queue(ws: Workspace) -> LabelErasure:
    from continual.stores.label_erase import LabelErasure

    return LabelErasure(ws.db, ws.app)
